"""Authorization servers that others wrote, asked by our RemoteBackend behind a protected view."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from django.test import Client as Browser
from django.urls import path

from django_introspection import token_backends
from django_introspection.authentication import IntrospectionAuthentication
from tests import certificates, jose
from tests.peers.processes import NODE, served
from tests.resource_server.protected import protect
from tests.settings import AUDIENCE

MACHINE = ("shop", secrets.token_urlsafe(32))
CALLER = ("orders-api", secrets.token_urlsafe(32))
ENVIRONMENT = {
    "CLIENT_ID": MACHINE[0],
    "CLIENT_SECRET": MACHINE[1],
    "CALLER_ID": CALLER[0],
    "CALLER_SECRET": CALLER[1],
    "SCOPE": "orders:read",
    "RESOURCE": AUDIENCE,
}


@pytest.fixture
def port() -> str:
    """A port that is free, so that a server can come back to it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


def trust(settings: Any, *, cache: Any = None, **options: Any) -> None:
    remote = {"client_id": CALLER[0], "client_secret": CALLER[1], **options}
    backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": remote}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend if cache is None else {**backend, "CACHE": cache}}}


def whoami(token: str) -> Any:
    return Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})


def get_token(shop: httpx2.Client, url: str, **form: str) -> str:
    token: str = shop.post(url, data={"grant_type": "client_credentials", **form}).json()["access_token"]
    return token


def test_opaque_tokens_of_oidc_provider_through_outage_and_recovery(settings: Any, port: str) -> None:
    environment = {**ENVIRONMENT, "PORT": port}
    serve = partial(served, ["node", "oidc_provider.js"], environment, cwd=NODE)
    with serve() as issuer, httpx2.Client(auth=MACHINE) as shop:
        trust(settings, issuer=issuer, audience=AUDIENCE, cache={})
        token = get_token(shop, f"{issuer}/token", scope="orders:read")
        without_scope = get_token(shop, f"{issuer}/token")

        assert whoami(token).status_code == 200
        assert whoami(without_scope).status_code == 403
        assert whoami("unknown").status_code == 401
        revoked = get_token(shop, f"{issuer}/token", scope="orders:read")
        assert shop.post(f"{issuer}/token/revocation", data={"token": revoked}).status_code == 200
        assert whoami(revoked).status_code == 401

    assert whoami(token).status_code == 200, "what was answered lives on in the cache"
    assert whoami("new-while-it-is-away").status_code == 503
    with serve(), httpx2.Client(auth=MACHINE) as shop:
        assert whoami(get_token(shop, f"{issuer}/token", scope="orders:read")).status_code == 200


def test_oidc_provider_takes_our_assertions(settings: Any) -> None:
    """The endpoint is found by discovery, and the assertion is for the issuer alone."""
    keys = json.dumps({"keys": [jose.public("ES256", kid="ours", alg="ES256", use="sig")]})
    environment = {**ENVIRONMENT, "CALLER_JWKS": keys}
    with served(["node", "oidc_provider.js"], environment, cwd=NODE) as issuer, httpx2.Client(auth=MACHINE) as shop:
        trust(settings, issuer=issuer, audience=AUDIENCE)
        options = settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"]
        del options["client_secret"]
        options |= {"auth_method": "private_key_jwt", "private_key": {"KEY": jose.private("ES256", kid="ours")}}

        assert whoami(get_token(shop, f"{issuer}/token", scope="orders:read")).status_code == 200
        assert whoami("unknown").status_code == 401


@pytest.mark.requirement("9701-4-a", "9701-P")
def test_signed_answers_of_oidc_provider_are_verified_and_its_json_is_refused(settings: Any, port: str) -> None:
    serve = partial(served, ["node", "oidc_provider.js"], cwd=NODE)
    environment = {**ENVIRONMENT, "PORT": port}
    trust(settings, issuer=f"http://127.0.0.1:{port}", audience=AUDIENCE, signed_response=True)
    with serve(environment | {"SIGNED_ALG": "RS256"}) as issuer, httpx2.Client(auth=MACHINE) as shop:
        token = get_token(shop, f"{issuer}/token", scope="orders:read")
        without_scope = get_token(shop, f"{issuer}/token")

        assert whoami(token).status_code == 200
        assert whoami(without_scope).status_code == 403
        assert whoami("unknown").status_code == 401
        assert shop.post(f"{issuer}/token/revocation", data={"token": token}).status_code == 200
        assert whoami(token).status_code == 401
        found = [finding.what for finding in token_backends["default"].diagnose()]
        assert "the response is signed by the issuer, for this resource server" in found

    with serve(environment) as issuer, httpx2.Client(auth=MACHINE) as shop:
        assert whoami(get_token(shop, f"{issuer}/token", scope="orders:read")).status_code == 503
        assert whoami("unknown").status_code == 503


@pytest.mark.requirement("9449-6.2-b", "9449-7.1-a", "9449-7.2-a", "8705-3-a")
@pytest.mark.parametrize("backend", ["RemoteBackend", "JWTBackend"])
@pytest.mark.parametrize("binding", ["certificate", "proof"])
def test_bound_tokens_of_oidc_provider_need_what_they_are_bound_to(settings: Any, backend: str, binding: str) -> None:
    own, other = (certificates.make(self_signed=True, number=number).header("rfc9440") for number in (1, 2))
    server = {"CERTIFICATES": "1" if binding == "certificate" else "", "FORMAT": "opaque"}
    if backend == "JWTBackend":
        server["FORMAT"] = "jwt"
    urls = ModuleType("urls")
    proven = type("Proven", (IntrospectionAuthentication,), {"schemes": ("Bearer", "DPoP")})
    urls.urlpatterns = [path("orders", protect(authentication_classes=[proven]).as_view())]
    settings.ROOT_URLCONF = urls

    def ask(token: str, certificate: str, name: str | None = None) -> int:
        proof = {} if name is None else {"DPoP": jose.proof(token, AUDIENCE, name=name)}
        scheme = "Bearer" if name is None else "DPoP"
        headers = {"Authorization": f"{scheme} {token}", "Client-Cert": certificate, **proof}
        return Browser().get("/orders", headers=headers).status_code

    serve = served(["node", "oidc_provider.js"], ENVIRONMENT | server, cwd=NODE)
    with serve as issuer, httpx2.Client(auth=MACHINE) as shop:
        remote = {"client_id": CALLER[0], "client_secret": CALLER[1]} if backend == "RemoteBackend" else {}
        options = {"issuer": issuer, "audience": AUDIENCE, **remote}
        settings.TOKEN_INTROSPECTION = {
            "BACKENDS": {"default": {"BACKEND": f"django_introspection.backends.{backend}", "OPTIONS": options}},
            "TRUSTED_PROXIES": ["127.0.0.1"],
            "CLIENT_CERTIFICATES": {"FORM": "rfc9440"},
        }
        if binding == "certificate":
            shop.headers["Client-Cert"] = own
        else:
            shop.headers["DPoP"] = jose.proof("", f"{issuer}/token", htm="POST", ath=None)
        token = get_token(shop, f"{issuer}/token", scope="orders:read")
        asked = [ask(token, own), ask(token, other), ask(token, ""), ask(token, own, "one"), ask(token, own, "two")]

    assert asked == ([200, 401, 401, 401, 401] if binding == "certificate" else [401, 401, 401, 200, 401])


@pytest.mark.parametrize("alg", ["ECDH-ES", "RSA-OAEP-256"])
@pytest.mark.requirement("9701-5-f", "9701-6-a")
def test_answers_that_oidc_provider_encrypts_for_us_are_read(settings: Any, alg: str) -> None:
    kind = "RS256" if alg.startswith("RSA") else "ES256"
    keys = json.dumps({"keys": [jose.public(kind, "recipient", use="enc", kid="ours")]})
    environment = {**ENVIRONMENT, "SIGNED_ALG": "RS256", "ENCRYPTED_ALG": alg, "CALLER_JWKS": keys}
    with served(["node", "oidc_provider.js"], environment, cwd=NODE) as issuer, httpx2.Client(auth=MACHINE) as shop:
        options = {"issuer": issuer, "audience": AUDIENCE, "signed_response": True}
        trust(settings, **options, decryption_keys=[{"KEY": jose.pem(kind, "recipient"), "KID": "ours"}])
        token = get_token(shop, f"{issuer}/token", scope="orders:read")

        assert whoami(token).status_code == 200
        assert whoami("unknown").status_code == 401
        trust(settings, **options)
        assert whoami(token).status_code == 503


def test_jwts_of_oidc_provider_through_outage_and_recovery(settings: Any, port: str) -> None:
    """Keys are found by discovery; who has them needs the server for nothing."""
    environment = {**ENVIRONMENT, "PORT": port, "FORMAT": "jwt"}
    serve = partial(served, ["node", "oidc_provider.js"], environment, cwd=NODE)
    backend = "django_introspection.backends.JWTBackend"
    options = {"issuer": f"http://127.0.0.1:{port}", "audience": AUDIENCE}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    with serve() as issuer, httpx2.Client(auth=MACHINE) as shop:
        token = get_token(shop, f"{issuer}/token", scope="orders:read")
        without_scope = get_token(shop, f"{issuer}/token")

        assert token.count(".") == 2
        assert whoami(token).status_code == 200
        assert whoami(without_scope).status_code == 403
        assert whoami(token[:-4] + "AAAA").status_code == 401

    assert whoami(token).status_code == 200
    token_backends.close()
    assert whoami(token).status_code == 503, "a process that starts now has no keys"
    with serve(), httpx2.Client(auth=MACHINE) as shop:
        token_backends.close()
        assert whoami(get_token(shop, f"{issuer}/token", scope="orders:read")).status_code == 200


@pytest.mark.parametrize("auth_method", ["client_secret_basic", "client_secret_post", "client_credentials"])
def test_tokens_of_django_oauth_toolkit_through_outage_and_recovery(
    auth_method: str, settings: Any, tmp_path: Path, port: str
) -> None:
    command = [sys.executable, "-m", "tests.peers.oauth_toolkit"]
    environment = {**ENVIRONMENT, "DATABASE_FILE": str(tmp_path / "server.sqlite3"), "PORT": port}
    serve = partial(served, command, environment)
    with serve() as issuer, httpx2.Client(auth=MACHINE, timeout=30) as shop:
        # It names neither the type of a token nor, without RFC 8707, its audience; and it hashes secrets slowly.
        options = {"auth_method": auth_method, "timeout": 30}
        if auth_method == "client_credentials":
            options |= {"token_url": f"{issuer}/o/token/", "scope": "introspection"}
        trust(settings, introspection_url=f"{issuer}/o/introspect/", **options)
        token = get_token(shop, f"{issuer}/o/token/", scope="orders:read")

        assert whoami(token).status_code == 200
        assert whoami("unknown").status_code == 401

    assert whoami(token).status_code == 503
    with serve(), httpx2.Client(auth=MACHINE, timeout=30) as shop:
        assert whoami(token).status_code == 200
        assert shop.post(f"{issuer}/o/revoke_token/", data={"token": token}).status_code == 200
        assert whoami(token).status_code == 401
