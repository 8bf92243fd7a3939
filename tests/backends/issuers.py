"""Issuers on loopback: their keys, published by a real server, and the JWTs that they sign."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from tests import jose
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE

OAUTH = "/.well-known/oauth-authorization-server"
JWKS = "/jwks"


def publish(server: MisbehavingServer, *keys: Any, **metadata: Any) -> None:
    """Serve metadata and a set of public keys."""
    document = {"issuer": server.origin, "jwks_uri": f"{server.origin}{JWKS}", **metadata}
    server.behave("body", at=OAUTH, content=json.dumps(document).encode())
    server.behave("body", at=JWKS, content=json.dumps({"keys": list(keys)}).encode())


def public(name: str = "one", alg: str = "ES256", **members: Any) -> dict[str, Any]:
    return jose.public(alg, name, **{"kid": name, **members})


def jwt_settings(issuer: str, **options: Any) -> dict[str, Any]:
    """Return the entry of BACKENDS that verifies the JWTs of an issuer."""
    own = {"issuer": issuer, "audience": AUDIENCE, **options}
    return {"BACKEND": "django_introspection.backends.JWTBackend", "OPTIONS": own}


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """Return good claims of an access token (RFC 9068 §2.2); None takes one away."""
    now = int(time.time())
    members = {
        "iss": issuer,
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "app",
        "scope": "orders:read",
        "iat": now,
        "exp": now + 60,
        "jti": "0123456789",
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def access_token(
    issuer: str,
    *,
    name: str = "one",
    alg: str = "ES256",
    header: Any = None,
    without: Sequence[str] = (),
    **changes: Any,
) -> str:
    """Sign an access token with the key of this name; `without` takes members of the header away."""
    members = {"alg": alg, "typ": "at+jwt", "kid": name, **(header or {})}
    kept = {member: value for member, value in members.items() if member not in without}
    return jose.sign(kept, claims(issuer, **changes), jose.key(alg, name), alg=alg)
