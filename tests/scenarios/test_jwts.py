"""A protected view that verifies the JWT of a row; joserfc makes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import time_machine

from tests import certificates, jose
from tests.backends.issuers import JWKS, claims, jwt_settings, publish
from tests.misbehaving.server import MisbehavingServer, refusing_url
from tests.scenarios.tables import Row, filled, played
from tests.scenarios.views import REQUEST, VIEW, ask
from tests.settings import AUDIENCE

INPUTS = (
    VIEW
    | REQUEST
    | {
        *("claims", "without", "header", "without_header", "alg", "key", "secret", "cut", "token"),
        *("keys", "jwks", "keys_later", "server", "options", "routed", "leeway"),
    }
)
SECRET = b"a secret that both sides know, as long as HS256 wants"


@played("jwts")
def test_a_jwt_is_judged_as_its_row_says(row: Row, settings: Any) -> None:
    with MisbehavingServer() as server, time_machine.travel(int(time.time()), tick=False):
        given = filled(row.given, server=server.origin, audience=AUDIENCE, **_certificates())
        _publish(server, given)
        settings.TOKEN_INTROSPECTION = _settings(given, server)
        if "keys_later" in given:
            ask(given, _token({}, server.origin))
            _publish(server, {"keys": given["keys_later"]})
        outcome, facts = ask(given, _token(given, server.origin))
    row.check(outcome, **facts, fetches=len(server.requests_at(JWKS)))


def _certificates() -> dict[str, str]:
    """Return the names by which rows use two certificates."""
    own, other = certificates.make(), certificates.make(self_signed=True)
    return {
        "thumbprint": own.thumbprint,
        "certificate": own.header("rfc9440"),
        "other_certificate": other.header("rfc9440"),
    }


def _settings(given: Mapping[str, Any], server: MisbehavingServer) -> dict[str, Any]:
    options = dict(given.get("options", {}))
    if given.get("server") == "down":
        with refusing_url() as url:
            options["jwks_uri"] = url
    backends = {"default": jwt_settings(**{"issuer": server.origin, **options})}
    if given.get("routed"):
        routing = {"issuers": {server.origin: "trusted"}}
        router = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": routing}
        backends = {"default": router, "trusted": backends["default"]}
    proxy = {"TRUSTED_PROXIES": ["127.0.0.1"], "CLIENT_CERTIFICATES": {"FORM": "rfc9440", "VALIDATED": True}}
    return {
        "BACKENDS": backends,
        "LEEWAY": given.get("leeway", 30),
        **(proxy if "Client-Cert" in given.get("headers", {}) else {}),
    }


def _publish(server: MisbehavingServer, given: Mapping[str, Any]) -> None:
    """Publish the keys of a row, by default the key `one` for the algorithm of its JWT; or any text."""
    alg = given.get("alg", "ES256")
    keys = given.get("keys", [{"key": "one"}])
    publish(server, *(_public(each, alg) for each in keys))
    if "jwks" in given:
        server.behave("body", at=JWKS, content=given["jwks"].encode())


def _public(entry: Mapping[str, Any], alg: str) -> dict[str, Any]:
    """Return a public JWK; its `kid` is its name unless the row names another one, and an empty one is none."""
    jwk = jose.public(alg, entry["key"])
    kid = entry.get("kid", entry["key"])
    return {**jwk, "kid": kid} if kid else {name: value for name, value in jwk.items() if name != "kid"}


def _token(given: Mapping[str, Any], issuer: str) -> str:
    """Make an access token of RFC 9068 with the changes of a row; `cut` keeps so many of its parts."""
    if "token" in given:
        return str(given["token"])
    alg, name = given.get("alg", "ES256"), given.get("key", "one")
    header = {"alg": alg, "typ": "at+jwt", "kid": name, **given.get("header", {})}
    members = {**claims(issuer), **given.get("claims", {})}
    header = {each: value for each, value in header.items() if each not in given.get("without_header", ())}
    members = {each: value for each, value in members.items() if each not in given.get("without", ())}
    if given.get("secret"):
        return jose.hmac_signed(header, members, SECRET)
    if header["alg"] == "none":
        return f"{jose.part(header)}.{jose.part(members)}."
    jwt = jose.sign(header, members, jose.key(alg, name), alg=alg)
    return ".".join(jwt.split(".")[: given.get("cut", 3)])
