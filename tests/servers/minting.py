"""Tokens and answers of a shape: relative times become moments, and JWTs are signed with real keys."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from tests import jose
from tests.servers.shapes import Token

_TIMES = ("exp", "iat", "nbf", "auth_time")
_RELATIVE = re.compile(r"[+-]\d+")


def at_present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members whose relative times are moments."""
    now = int(time.time())
    return {
        name: now + int(value) if name in _TIMES and isinstance(value, str) and _RELATIVE.fullmatch(value) else value
        for name, value in members.items()
    }


def mint(token: Token, *, key: str = "one", **changes: Any) -> str:
    """Make a token of this shape; `changes` replaces claims, None takes one away, `key` names another key."""
    if token.format == "jwt":
        claims = {**at_present(token.claims or {}), **changes}
        return sign(token.header or {}, {name: value for name, value in claims.items() if value is not None}, key)
    if token.format == "jwe":
        return ".".join(secrets.token_urlsafe(24) for _ in range(5))
    return token.prefix + secrets.token_urlsafe(32)


def sign(header: Mapping[str, Any], claims: Mapping[str, Any], key: str = "one") -> str:
    if header["alg"].startswith("HS"):
        return jose.hmac_signed(header, claims, b"a secret that the server shares with a client")
    return jose.sign(header, claims, jose.key(header["alg"], key))


def public_keys(tokens: tuple[Token, ...]) -> list[dict[str, Any]]:
    """Return the key set in which each JWT finds its key."""
    headers = [token.header or {} for token in tokens if token.format == "jwt"]
    named = {(header["alg"], header.get("kid")) for header in headers if not header["alg"].startswith("HS")}
    return [
        jose.public(alg, alg=alg, use="sig", **({"kid": kid} if kid else {})) for alg, kid in sorted(named, key=str)
    ]
