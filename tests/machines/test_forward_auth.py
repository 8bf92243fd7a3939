"""nginx and Caddy that ask about each request, with the configurations of the documentation."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import certificates, jose
from tests.misbehaving.server import MisbehavingServer
from tests.web_servers.running import PYTHON, free_port, running, wait_for

from . import documented
from .test_nginx import MAIN

PAGE = "docs/forward-authentication.rst"
VERIFY = [str(PYTHON), "-m", "granian", "--interface=wsgi", "--port={port}", "--factory",
          "django.core.wsgi:get_wsgi_application"]  # fmt: skip
NAMES = ("X-Auth-Subject", "X-Auth-Client", "X-Auth-Scope", "X-Auth-Issuer")


class Service(BaseHTTPRequestHandler):
    """A service behind the proxy, which sends back what the proxy told it."""

    def do_GET(self) -> None:
        read = [(name.replace("_", "-"), value) for name, value in self.headers.items()]  # as WSGI and CGI do
        told = {each: [value for name, value in read if name.lower() == each.lower()] for each in NAMES}
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name of the standard library

    def log_message(self, *_: Any) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def authorization_server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(request: Any, tmp_path_factory: Any, authorization_server: MisbehavingServer) -> Iterator[int]:
    directory: Path = tmp_path_factory.mktemp(request.param)
    documented.write(directory, {"urls.py": "urls.py"}, PAGE)
    urls = directory / "shop" / "urls.py"
    urls.write_text(urls.read_text().replace("paths={", 'paths={"/bound/": {"SCHEMES": ["DPoP"]},'))
    settings = {"DJANGO_SETTINGS_MODULE": "tests.machines.forward_auth_site", "AS": authorization_server.origin}
    settings["PYTHONPATH"] = f"{directory}{os.pathsep}{Path.cwd()}"
    with ExitStack() as stack:
        verify = stack.enter_context(running(VERIFY, **settings))
        service = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Service))
        Thread(target=service.serve_forever, daemon=True).start()
        stack.callback(service.shutdown)
        port = free_port()
        start = start_nginx if request.param == "nginx" else start_caddy
        process = start(directory, {"8000": port, "8001": verify, "8002": service.server_address[1]})
        stack.callback(process.wait, 15)
        stack.callback(process.terminate)
        wait_for(port, process)
        yield port


def with_ports(configuration: str, ports: dict[str, int]) -> str:
    for name, port in ports.items():
        configuration = configuration.replace(f"127.0.0.1:{name}", f"127.0.0.1:{port}")
    return configuration


def start_nginx(directory: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    file = directory / "nginx.conf"
    servers = with_ports(documented.block("nginx", "nginx.conf", PAGE), ports)
    file.write_text(MAIN.format(directory=directory, servers=servers))
    user = [] if os.getuid() else ["-g", "user root;"]
    return subprocess.Popen(["nginx", "-c", str(file), "-p", str(directory), *user])


def start_caddy(directory: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    file = directory / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + with_ports(documented.block("none", "Caddyfile", PAGE), ports))
    home = {**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    command = [str(shutil.which("caddy")), "run", "--config", str(file), "--adapter", "caddyfile"]
    return subprocess.Popen(command, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def send(
    port: int,
    path: str,
    token: str | None = "token",
    method: str = "GET",
    address: str = "127.0.0.1",
    **headers: str,
) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(address, 0))
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, headers={**credentials, **headers})
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]  # kept beside the answer
    connection.close()
    return response


def test_the_service_learns_whose_request_it_is_from_the_proxy_alone(proxy: int, authorization_server: Any) -> None:
    authorization_server.behave("active", sub=None, client_id="shop", scope="orders:read")
    spoofed = {"X-Auth-Subject": "admin", "X-Auth-Scope": "everything", "X-Auth-Client": "admin"}

    response = send(proxy, "/orders/1", **spoofed)

    assert response.status == 200
    told = {name: [value for value in values or [] if value] for name, values in json.loads(response.body).items()}
    assert told["X-Auth-Subject"] == []
    assert told["X-Auth-Client"] == ["shop"]
    assert told["X-Auth-Scope"] == ["orders:read"]


def test_the_client_cannot_choose_the_path_and_the_method_that_are_judged(
    proxy: int, authorization_server: Any
) -> None:
    authorization_server.behave("active", sub="42", scope="invoices:read")
    claimed = {"X-Forwarded-Uri": "/invoices/", "X-Forwarded-Method": "GET"}

    assert send(proxy, "/invoices/1").status == 200
    assert send(proxy, "/orders/1", **claimed).status == 403
    authorization_server.behave("active", sub="42", scope="orders:read")
    assert send(proxy, "/orders/1", method="POST", **claimed).status == 403
    assert send(proxy, "/orders/1?page=2").status == 200


@pytest.mark.parametrize("spelling", ["X_Auth_Subject", "X-Auth_Subject", "X_Auth-Subject", "x_auth_subject"])
def test_a_name_with_underscores_names_no_caller(proxy: int, authorization_server: Any, spelling: str) -> None:
    """Servers for WSGI and CGI read both spellings as one name."""
    authorization_server.behave("active", sub="42", scope="orders:read")

    response = send(proxy, "/orders/1", **{spelling: "admin"})

    assert response.status == 200
    assert json.loads(response.body)["X-Auth-Subject"] == ["42"]


@pytest.mark.parametrize("name", ["X_Forwarded_{}", "X-Forwarded_{}", "X_Forwarded-{}", "x_forwarded_{}"])
def test_a_name_with_underscores_describes_no_request(proxy: int, authorization_server: Any, name: str) -> None:
    authorization_server.behave("active", sub="42", scope="invoices:read")
    claimed = {name.format("Uri"): "/invoices/", name.format("Method"): "GET"}

    assert send(proxy, "/orders/1", **claimed).status == 403
    authorization_server.behave("active", sub="42", scope="orders:read")
    assert send(proxy, "/orders/1", method="POST", **claimed).status == 403


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X_Forwarded_For", "X-Forwarded_For"])
def test_the_client_cannot_choose_its_address(proxy: int, authorization_server: Any, name: str) -> None:
    authorization_server.behave("active", sub="42", scope="orders:read", allowed_networks=["192.0.2.0/24"])
    assert send(proxy, "/orders/1", address="127.0.0.9", **{name: "192.0.2.7"}).status == 401
    assert send(proxy, "/orders/1", address="127.0.0.9", Forwarded="for=192.0.2.7").status == 401

    authorization_server.behave("active", sub="42", scope="orders:read", allowed_networks=["127.0.0.9"])
    assert send(proxy, "/orders/1", address="127.0.0.9").status == 200
    assert send(proxy, "/orders/1", address="127.0.0.8", **{name: "127.0.0.9"}).status == 401


@pytest.mark.parametrize("name", ["X-SSL-Client-{}", "X_SSL_Client_{}", "X-SSL-Client_{}"])
def test_the_client_cannot_send_the_header_of_a_certificate(proxy: int, authorization_server: Any, name: str) -> None:
    """A certificate is public; only the handshake of TLS proves that the client has its key."""
    certificate = certificates.make()
    bound = {"x5t#S256": certificate.thumbprint}
    authorization_server.behave("active", sub="42", scope="orders:read", cnf=bound)
    claimed = {name.format("Cert"): certificate.header("pem"), name.format("Verify"): "SUCCESS"}

    assert send(proxy, "/orders/1", **claimed).status == 401


def test_a_refusal_reaches_the_client_with_its_challenge(proxy: int, authorization_server: Any) -> None:
    missing = send(proxy, "/orders/1", token=None)
    assert missing.status == 401
    assert missing.headers["WWW-Authenticate"].startswith("Bearer ")
    authorization_server.behave("inactive")
    rejected = send(proxy, "/orders/1")
    assert rejected.status == 401
    assert 'error="invalid_token"' in rejected.headers["WWW-Authenticate"]
    authorization_server.behave("active", scope="other")
    weak = send(proxy, "/orders/1")
    assert weak.status == 403
    assert 'scope="orders:read"' in weak.headers["WWW-Authenticate"]


def test_a_malformed_request_is_no_outage(proxy: int) -> None:
    response = send(proxy, "/orders/1", token="a b")

    assert response.status == 400
    assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]
    assert "Retry-After" not in response.headers


def test_a_client_learns_the_nonce_for_its_proof(proxy: int, authorization_server: Any) -> None:
    """RFC 9449 §9."""
    authorization_server.behave("active", sub="42", cnf={"jkt": jose.thumbprint("ES256", "one")})

    def ask(**claims: Any) -> Any:
        proof = jose.proof("token", "https://api.example.com/bound/1", htm="GET", **claims)
        return send(proxy, "/bound/1", None, Authorization="DPoP token", DPoP=proof)

    first = ask()

    assert first.status == 401
    assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
    assert ask(nonce=first.headers["DPoP-Nonce"]).status == 200


def test_nothing_is_let_in_while_the_token_cannot_be_checked(proxy: int, authorization_server: Any) -> None:
    authorization_server.behave("status 500")

    response = send(proxy, "/orders/1")

    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
