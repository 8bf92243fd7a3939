"""Real handshakes with certificates of clients: at nginx as the documentation configures it, and at gunicorn."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from django_introspection import token_backends
from django_introspection.protocol.answer import Active
from django_introspection.protocol.errors import CredentialsRefused
from tests import certificates, jose
from tests.certificates import ClientCertificate
from tests.endpoints import FORM
from tests.redis_server import RedisServer
from tests.settings import AUDIENCE, ISSUER
from tests.web_servers.running import PYTHON, free_port, running, wait_for

from . import documented
from .site import GUNICORN, Answer
from .test_nginx import MAIN

SETTINGS = "tests.machines.certificates_site"
SHOP = certificates.make(dns="shop.example.com")
OTHER = certificates.make(dns="other.example.com")
OWN = certificates.make(self_signed=True)
API = certificates.make(self_signed=True, number=2)
IMPOSTOR = certificates.make(dns="shop.example.com", self_signed=True)
CREATE = (
    *("create", "--purpose", "machine", "--scope", "orders:read", "--allowed-resource", AUDIENCE),
    "--tls-client-certificate-bound-access-tokens",
)


@dataclass(frozen=True)
class TLSSite:
    port: int
    directory: Path
    scheme: str = "https"

    def call(
        self, certificate: ClientCertificate | None, method: str, path: str, body: str | None = None, **headers: str
    ) -> Answer:
        connection: http.client.HTTPConnection
        if self.scheme == "https":
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self._tls(certificate))
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, 30, source_address=("127.0.0.2", 0))
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def token(self, client_id: str, certificate: ClientCertificate | None, **headers: str) -> Answer:
        form = urlencode({"grant_type": "client_credentials", "client_id": client_id})
        return self.call(certificate, "POST", "/oauth/token", form, **{"Content-Type": FORM, **headers})

    def view(self, token: str, certificate: ClientCertificate | None, **headers: str) -> int:
        return self.call(certificate, "GET", "/whoami", Authorization=f"Bearer {token}", **headers).status

    def _tls(self, certificate: ClientCertificate | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.directory / "authorities.pem"))
        context.check_hostname = False
        if certificate is not None:
            name = self.directory / certificate.thumbprint
            context.load_cert_chain(f"{name}.pem", f"{name}-key.pem")
        return context


@pytest.fixture(scope="module")
def directory(tmp_path_factory: Any) -> Path:
    made: Path = tmp_path_factory.mktemp("certificates")
    (made / "authorities.pem").write_text(certificates.authority().pem)
    certificates.make(ip="127.0.0.1").write(made, "server")
    for certificate in (SHOP, OTHER, OWN, API, IMPOSTOR):
        certificate.write(made, certificate.thumbprint)
    return made


@pytest.fixture(scope="module")
def redis(directory: Path) -> Iterator[RedisServer]:
    server = RedisServer(directory)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def environment(directory: Path, redis: RedisServer) -> dict[str, str]:
    """The settings of a site, whose clients were registered by the command."""
    made = {
        "CACHE_URL": f"redis://127.0.0.1:{redis.port}/0",
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "COUNTS": str(directory / "counts"),
        "DATABASE_URL": f"sqlite:///{directory / 'site.sqlite3'}",
    }
    manage = [sys.executable, "-m", "django"]
    named = ("--token-endpoint-auth-method", "tls_client_auth", "--tls-client-auth-san-dns", "shop.example.com")
    by_file = ("--token-endpoint-auth-method", "self_signed_tls_client_auth", "--certificate")
    own, api = ((*by_file, str(directory / f"{each.thumbprint}.pem")) for each in (OWN, API))
    serves = ("create", "--client-id", "api", "--resource", AUDIENCE)
    for arguments in (
        ("migrate", "--verbosity=0"),
        ("introspection_client", *CREATE, "--client-id", "named", *named),
        ("introspection_client", *CREATE, "--client-id", "own", *own),
        ("introspection_client", *serves, *api),
    ):
        subprocess.run([*manage, *arguments], env={**os.environ, **made}, check=True, stdout=subprocess.DEVNULL)
    return made


@pytest.fixture(scope="module")
def behind_nginx(directory: Path, environment: dict[str, str]) -> Iterator[tuple[TLSSite, TLSSite]]:
    """The site behind nginx, and the same site past nginx, from another address."""
    with ExitStack() as stack:
        upstream = stack.enter_context(running(GUNICORN, **environment))
        port = free_port()
        configuration = documented.block("nginx", "nginx.conf", "docs/bound-tokens.rst")
        for documented_value, value in {
            "127.0.0.1:8000;": f"127.0.0.1:{upstream};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/nginx/server": str(directory / "server"),
            "/etc/nginx/client-authorities.pem": str(directory / "authorities.pem"),
            "proxy_set_header Host $host;": "proxy_set_header Host testserver;",
        }.items():
            assert documented_value in configuration
            configuration = configuration.replace(documented_value, value)
        file = directory / "nginx.conf"
        file.write_text(MAIN.format(directory=directory, servers=configuration))
        user = [] if os.getuid() else ["-g", "user root;"]
        nginx = subprocess.Popen(["nginx", "-c", str(file), "-p", str(directory), *user])
        stack.callback(nginx.wait, 15)
        stack.callback(nginx.terminate)
        wait_for(port, nginx)
        yield TLSSite(port, directory), TLSSite(upstream, directory, "http")


@pytest.mark.requirement("8705-2-a", "8705-2.1-a", "8705-2.2-a", "8705-3-a", "8705-3.1-a", "8705-6.2-a")
def test_a_handshake_at_nginx_authenticates_and_binds(behind_nginx: tuple[TLSSite, TLSSite]) -> None:
    site, _ = behind_nginx

    for client_id, certificate in (("named", SHOP), ("own", OWN)):
        answer = site.token(client_id, certificate)
        assert answer.status == 200, answer
        token = answer.members["access_token"]
        assert site.view(token, certificate) == 200
        assert [site.view(token, other) for other in (None, OTHER, IMPOSTOR)] == [401, 401, 401]
        for other in (None, OTHER, IMPOSTOR):
            refused = site.token(client_id, other)
            assert (refused.status, refused.members["error"]) == (401, "invalid_client")


@pytest.mark.requirement("8705-2-a", "8705-3.2-a")
def test_a_resource_server_introspects_with_its_certificate(
    behind_nginx: tuple[TLSSite, TLSSite], directory: Path, settings: Any
) -> None:
    site, _ = behind_nginx
    token = site.token("own", OWN).members["access_token"]

    def trust(certificate: ClientCertificate) -> None:
        files = [str(directory / f"{certificate.thumbprint}{suffix}.pem") for suffix in ("", "-key")]
        options = {
            "introspection_url": f"https://127.0.0.1:{site.port}/oauth/introspect",
            "audience": AUDIENCE,
            "client_id": "api",
            "auth_method": "tls_client_auth",
            "client_certificate": files,
            "verify": str(directory / "authorities.pem"),
        }
        backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": options}
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}

    trust(API)
    answer = token_backends["default"].introspect(token)
    assert isinstance(answer, Active)
    assert answer.info.confirmation == {"x5t#S256": OWN.thumbprint}
    trust(OTHER)
    with pytest.raises(CredentialsRefused):
        token_backends["default"].introspect(token)


@pytest.mark.requirement("8705-2-a", "8705-3-a")
def test_a_header_of_the_client_does_not_pass_for_a_certificate(behind_nginx: tuple[TLSSite, TLSSite]) -> None:
    site, past = behind_nginx
    token = site.token("named", SHOP).members["access_token"]
    certificate, names = SHOP.header("pem"), ("X-SSL-Client-Cert", "X_SSL_Client_Cert", "x-ssl_client-cert")

    for name in names:
        smuggled = {name: certificate, name.replace("Cert", "Verify").replace("cert", "verify"): "SUCCESS"}
        for way, sent in ((site, None), (site, IMPOSTOR), (past, None)):
            assert way.token("named", sent, **smuggled).status == 401
            assert way.view(token, sent, **smuggled) == 401


@pytest.mark.requirement("9449-11.1-b", "9449-6.1-a")
def test_two_processes_behind_nginx_take_a_proof_once(behind_nginx: tuple[TLSSite, TLSSite]) -> None:
    site, _ = behind_nginx
    proofs = [jose.proof("", f"{ISSUER}/oauth/token", htm="POST", ath=None) for _ in range(4)]

    with ThreadPoolExecutor(4) as clients:
        for proof in proofs:
            answers = list(clients.map(lambda _, proof=proof: site.token("own", OWN, DPoP=proof), range(6)))
            assert Counter(each.status for each in answers) == {200: 1, 400: 5}
            (granted,) = (each.members for each in answers if each.status == 200)
            assert granted["token_type"] == "DPoP"


@pytest.mark.requirement("8705-2-a", "8705-2.1-a", "8705-3-a")
def test_gunicorn_gives_the_certificate_of_its_own_handshake(directory: Path, environment: dict[str, str]) -> None:
    port = free_port()
    tls = (
        *(f"--certfile={directory / 'server.pem'}", f"--keyfile={directory / 'server-key.pem'}"),
        *(f"--ca-certs={directory / 'authorities.pem'}", "--cert-reqs=1"),
    )
    command = [str(PYTHON), "-m", "gunicorn", "--threads=2", f"--bind=127.0.0.1:{port}", *tls, GUNICORN[-1]]
    everything = {**os.environ, **environment, "PYTHONPATH": str(Path.cwd()), "ENDS_TLS": "1"}
    site = TLSSite(port, directory)
    with subprocess.Popen(command, env=everything, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as gunicorn:
        try:
            _wait_for_tls(site, gunicorn)
            token = site.token("named", SHOP, Host="testserver").members["access_token"]
            statuses = [site.view(token, each, Host="testserver") for each in (SHOP, OTHER, None)]
            smuggled = site.token("named", None, Host="testserver", **{"X-SSL-Client-Cert": SHOP.header("pem")})
            with pytest.raises((ssl.SSLError, http.client.HTTPException, OSError)):
                site.token("named", IMPOSTOR, Host="testserver")
        finally:
            gunicorn.terminate()
            gunicorn.wait(15)

    assert statuses == [200, 401, 401]
    assert (smuggled.status, json.loads(smuggled.body)["error"]) == (401, "invalid_client")


def _wait_for_tls(site: TLSSite, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            site.call(None, "GET", "/")
        except (OSError, http.client.HTTPException):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
        else:
            return
