"""Targets for whole requests: certificates, protected paths, tokens, endpoints and protected views."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlencode

from django.http import HttpRequest
from django.test import Client as Browser

from django_introspection import introspect, token_backends
from django_introspection.client_certificates import client_certificate
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.certificate import FORMS, MalformedCertificate, read_header
from django_introspection.protocol.form import FORM_TYPE
from django_introspection.protocol.opaque import TokenPrefix, loggable_identifier
from django_introspection.x509 import SAN_DNS, SAN_EMAIL, SAN_IP, SAN_URI, SUBJECT_DN, is_named
from tests import certificates as made
from tests import jose
from tests.backends.issuers import access_token
from tests.properties import test_protected_paths as paths_of
from tests.properties.outcomes import outcome

from . import world
from .family import family
from .inputs import choose, header, join, split, text
from .signed import is_intact

KINDS = {
    SUBJECT_DN: "CN=shop,O=Example",
    SAN_DNS: "shop.example",
    SAN_URI: "urn:shop",
    SAN_IP: "192.0.2.1",
    SAN_EMAIL: "a@b.c",
}


def _certificate_seeds() -> Iterator[bytes]:
    certificate = made.make(dns="shop.example", uri="urn:shop", ip="192.0.2.1", email="a@b.c")
    for form in FORMS:
        yield join(form, certificate.header(form), SAN_DNS, certificate.der)
    yield join("pem", certificate.pem.replace("\n", "\t"), SUBJECT_DN, made.authority().der)


@family(
    "protocol/certificate.py", "client_certificates.py", "x509.py",
    seeds=_certificate_seeds,
    words='-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|Cert=|Hash="|;|,|"|:|%0A|MII',
)  # fmt: skip
def certificates(data: bytes) -> None:
    """A header has one certificate, whose bytes another decoder finds too; a second one makes it malformed."""
    form, value, kind, der = split(data, 4)
    name, sent = choose(form, list(FORMS)), header(value)
    found = outcome(lambda: read_header(name, sent), MalformedCertificate)
    if isinstance(found, bytes):
        assert found[0] == 0x30
        assert _der_length(found) == len(found)
        assert found in _decoded_runs(sent)
        twice = outcome(lambda: read_header(name, f"{sent},{sent}"), MalformedCertificate)
        assert isinstance(twice, MalformedCertificate)
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "203.0.113.1", "HTTP_CLIENT_CERT": sent}
    assert client_certificate(request) is None
    request.META["REMOTE_ADDR"] = "10.0.0.1"
    certificate = client_certificate(request)
    assert certificate is None or certificate.der == outcome(lambda: read_header("rfc9440", sent), MalformedCertificate)
    kind_of_name = choose(kind, list(KINDS))
    assert is_named(der, kind_of_name, KINDS[kind_of_name]) in (True, False)
    assert not is_named(der, kind_of_name, "a name that no certificate has")


def _decoded_runs(sent: str) -> list[bytes]:
    """Return what the runs of base64 in a header are as bytes; padding and white space are left out of each."""
    body = re.sub(r"-----[A-Z ]+-----", "|", unquote(sent))
    runs = [re.sub(r"\s|=", "", run) for run in re.split(r"[^A-Za-z0-9+/=\s]", body)]
    return [base64.b64decode(run[:length] + "===") for run in runs for length in [len(run) - (len(run) % 4 == 1)]]


def _der_length(der: bytes) -> int:
    """Return the length of an ASN.1 element by its first bytes (X.690 §8.1.3)."""
    if der[1] < 0x80:
        return 2 + der[1]
    size = der[1] - 0x80
    return 2 + size + sum(byte << 8 * place for place, byte in enumerate(reversed(der[2 : 2 + size])))


PATTERNS = [
    paths_of.routed(kind, segments)
    for kind, segments in zip(
        paths_of.KINDS,
        [["api", "wipe"], ["api"], ["is", "b.c"], ["a"], ["api", "admin", "wipe"], ["is", "b.c", "x"]] * 2,
        strict=True,
    )
]
URLS = ModuleType("urls")
URLS.urlpatterns = [each.pattern for each in PATTERNS]  # type: ignore[attr-defined]
_SCOPE_TOKENS = {
    "BACKENDS": {"default": {"BACKEND": "tests.properties.test_protected_paths.ScopeTokens"}},
    "PROTECTED_PATHS": {prefix: {"SCOPE": paths_of.scope_of(prefix)} for prefix in paths_of.PREFIXES},
}
_PATH_SETTINGS = {
    "ROOT_URLCONF": URLS,
    "TOKEN_INTROSPECTION": _SCOPE_TOKENS,
    "MIDDLEWARE": ["django.middleware.locale.LocaleMiddleware", "django_introspection.middleware.ProtectedPaths"],
}


def _path_seeds() -> Iterator[bytes]:
    for index, pattern in enumerate(PATTERNS):
        yield join(str(index), f"/{pattern.meant}")
        yield join("", f"/de//{pattern.meant.upper()}/%2e%2e/;x")
    for junk in (
        "//admin//wipe",
        "/x/../admin/wipe",
        "/%61dmin/wipe",
        "\\admin\\wipe",
        "/ admin/wipe",
        "/admin;x/wipe",
    ):
        yield join(paths_of.scope_of("/api/"), f"/api{junk}")


@family(
    "protocol/paths.py", "middleware.py", "resource_server/path_rules.py", "resource_server/url_readings.py",
    seeds=_path_seeds,
    settings=_PATH_SETTINGS,
    words="/api|/admin|/wipe|/a|//|/..|/.|%2e|%2F|%25|\\|;|\x00|?|#|.json|/de/|\u017f| ",
)  # fmt: skip
def paths(data: bytes) -> None:
    """A view below a protected path runs for a token with its scope alone, however the path is written."""
    which, rest = split(data, 2)
    token = choose(which, [None, *map(paths_of.scope_of, paths_of.PREFIXES)])
    path = "/" + rest.decode("utf-8", "replace").removeprefix("/")
    paths_of.ran.clear()
    status = paths_of.get(path, {"Authorization": f"Bearer {token}"} if token else {})
    assert status in (200, 301, 302, 400, 401, 403, 404)
    for read in paths_of.ran[0] if paths_of.ran else ():
        needed, whole = paths_of.demand(read), paths_of.demand(path)
        assert needed in (None, token) or (paths_of.is_below(whole, needed) and whole == token)


def _opaque_seeds() -> Iterator[bytes]:
    known = world.known()
    for token in (
        known.access,
        known.refresh,
        known.bound,
        known.revoked,
        known.expired,
        world.PASSWORD,
        "dit_at_x",
        "\u00e9",
    ):
        yield token.encode()


@family(
    "protocol/opaque.py", "backends/database.py", "resource_server/acceptance.py",
    seeds=_opaque_seeds,
    has_database=True,
    words="dit_at_|dit_rt_|dit_cs_|\x00|\x85",
)  # fmt: skip
def tokens(data: bytes) -> None:
    """No text is an active token but those that were issued; no text that holds one is written to a log."""
    value = text(data)
    is_active = introspect(value) is not None
    assert is_active == (value in world.known().open_tokens)
    backend = token_backends["default"]
    assert bool(backend.introspect(value)) == (value in world.known().active_tokens)
    assert TokenPrefix().may_be_token(value) or not is_active
    logged = loggable_identifier(value)
    assert not any(token in logged for token in (*world.known().active_tokens,))


def _endpoint_seeds() -> Iterator[bytes]:
    known = world.known()
    machine, server = world.basic("machine"), world.basic("server", f"{world.PASSWORD}-2")
    exchange = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": known.access,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    own = {"client_id": "machine", "client_secret": world.PASSWORD}
    proof = jose.proof("", "https://auth.example.com/oauth/token", htm="POST", ath=None)
    yield join(
        "introspect", server, FORM_TYPE, "", "", urlencode({"token": known.access, "token_type_hint": "access_token"})
    )
    yield join("introspect", machine, FORM_TYPE, "", "application/jwt", urlencode({"token": known.refresh}))
    yield join("introspect", f"Bearer {known.access}", FORM_TYPE, "", "", urlencode({"token": known.bound}))
    yield join("introspect", "", FORM_TYPE, "", "", urlencode({"token": known.expired, **own}))
    yield join("token", machine, FORM_TYPE, "", "", "grant_type=client_credentials&scope=orders:read")
    yield join("token", machine, FORM_TYPE, proof, "", "grant_type=client_credentials")
    yield join(
        "token",
        "",
        FORM_TYPE,
        "",
        "",
        urlencode({"grant_type": "refresh_token", "refresh_token": known.refresh, **own}),
    )
    yield join("token", machine, FORM_TYPE, "", "", urlencode(exchange))
    signing = jose.asserting(jose.assertion("signing"))
    yield join("token", "", FORM_TYPE, "", "", urlencode({"grant_type": "client_credentials", **signing}))
    yield join("revoke", machine, FORM_TYPE, "", "", urlencode({"token": known.access}))
    yield join("revoke", "", FORM_TYPE, "", "", urlencode({"token": known.refresh, **own}))


ENDPOINTS = ("introspect", "token", "revoke", "introspect/", "jwks")


@family(
    "authorization_server/views/*", "authorization_server/clients.py", "authorization_server/issuing.py",
    "authorization_server/grants.py", "authorization_server/rotation.py", "authorization_server/token_exchange.py",
    "authorization_server/assertions.py", "authorization_server/policy.py", "authorization_server/answering.py",
    "protocol/form.py", "protocol/credentials.py",
    seeds=_endpoint_seeds,
    words=(
        "token=|grant_type=|scope=|resource=|audience=|client_id=|client_secret=|refresh_token=|"
        "subject_token=|actor_token=|requested_token_type=|authorization_details=|client_assertion=|&|%00|"
        "Basic |Bearer |DPoP "
    ),
    has_database=True,
)  # fmt: skip
def endpoints(data: bytes) -> None:
    """No request makes an endpoint fail; without credentials nothing is told, issued or changed."""
    name, authorization, content_type, proof, accept, body = split(data, 6)
    known = world.known()
    world.restore()
    headers = {"Authorization": header(authorization), "DPoP": header(proof), "Accept": header(accept)}
    headers = {header_name: value for header_name, value in headers.items() if value}
    path = f"/oauth/{choose(name, ENDPOINTS)}"
    response = Browser().generic("POST", path, body, content_type=header(content_type), headers=headers)
    has_changed = world.restore()
    assert response.status_code < 500, response.content
    assert response.status_code in (200, 400, 401, 403, 404, 405, 413, 415, 429)
    if response.status_code == 401:
        assert response["WWW-Authenticate"]
    if response.status_code != 200 and response.content:
        assert json.loads(response.content)["error"]
    is_known = _has_credentials(header(authorization), body)
    assert is_known or not has_changed
    if response.status_code == 200 and "introspect" in path:
        assert is_known or header(authorization).partition(" ")[2].strip() in known.active_tokens
        answer = json.loads(response.content)
        asked = dict(parse_qsl(body.decode())).get("token")
        assert not answer["active"] or asked in known.active_tokens
    elif response.status_code == 200:
        assert is_known


def _has_credentials(authorization: str, body: bytes) -> bool:
    """Return whether a request has the secret of a client, or an assertion that the key of a client signed."""
    sent = dict(parse_qsl(body.decode("latin-1")))
    encoded = authorization.partition(" ")[2].strip()
    decoded = outcome(lambda: base64.b64decode(encoded).decode("latin-1"), ValueError)
    secrets = [decoded if isinstance(decoded, str) else "", sent.get("client_secret", "")]
    written = [part for secret in secrets for part in (secret, dict(parse_qsl(f"a={secret}")).get("a", ""))]
    return any(world.PASSWORD in each for each in written) or is_intact(sent.get("client_assertion", ""), "ES256")


VIEWS = ("/orders", "/plain", "/jwt", "/protected/orders", "/protected//orders", "/protected/../plain")
METHODS = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE")


def _view_seeds() -> Iterator[bytes]:
    known = world.known()
    form = urlencode({"access_token": known.access})
    for view in ("/orders", "/plain", "/protected/orders"):
        for token in (known.access, known.bound, known.refresh, known.revoked):
            yield join(view, "GET", f"Bearer {token}", "", "", "")
    yield join("/jwt", "GET", f"Bearer {access_token(world.JWT_ISSUER)}", "", "", "")
    yield join("/orders", "POST", "", "", FORM_TYPE, form)
    proof = jose.proof(known.bound, "https://api.example.com/orders")
    yield join("/orders", "GET", f"DPoP {known.bound}", proof, "", "")


@family(
    "authentication.py", "decorators.py", "middleware.py", "permissions.py", "resource_server/extraction.py",
    "resource_server/acceptance.py", "resource_server/protection.py", "resource_server/denial.py",
    "resource_server/token_denial.py", "resource_server/proof.py", "backends/database.py",
    seeds=_view_seeds,
    has_database=True,
    words="Bearer |DPoP |access_token=|&|/orders|GET|POST|application/x-www-form-urlencoded|,",
)  # fmt: skip
def views(data: bytes) -> None:
    """A protected view opens for a token that is active here, with a proof if it is bound, and never fails."""
    view, method, authorization, proof, content_type, body = split(data, 6)
    known = world.known()
    world.restore()
    path, verb = choose(view, VIEWS), choose(method, METHODS)
    headers = {"Authorization": header(authorization), "DPoP": header(proof)}
    headers = {name: value for name, value in headers.items() if value}
    try:
        response = Browser().generic(verb, path, body, content_type=header(content_type), headers=headers)
    except IntrospectionUnavailable:
        return  # a key that nobody has
    assert not world.restore()
    if response.status_code == 503:
        assert path == "/jwt"  # the second unknown key in a moment that does not pass
        return
    assert response.status_code in (200, 400, 401, 403, 404, 405)
    if response.status_code != 200:
        return
    scheme, _, sent = header(authorization).partition(" ")
    shown = {sent.strip(" "), dict(parse_qsl(body.decode("latin-1"))).get("access_token", "")}
    if path == "/jwt":
        assert is_intact(sent.strip(" "), "ES256", "Ed25519")
    elif scheme.lower() == "dpop":
        assert known.bound in shown
        assert is_intact(headers["DPoP"], "ES256")
    else:
        assert shown & known.open_tokens
