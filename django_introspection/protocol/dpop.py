"""The claims of a DPoP proof: the sender of an access token holds a key, now, for this request (RFC 9449)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

from .identifiers import split_uri
from .jwt import SIGNING_ALGORITHMS, MalformedJWT, UnverifiedJWT, encode_base64url, parse_jwt
from .opaque import digest
from .paths import follow_dot_segments
from .times import is_time

MAX_AGE = 60
"""Seconds for which a proof without a nonce is accepted and remembered. A thief can use a stolen one for that time."""
_TYPE = "dpop+jwt"
_PORTS = {"https": 443, "http": 80}
_THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}


class InvalidProof(ValueError):
    """The proof is missing or invalid; the message names the reason and quotes no part of it."""


def read_proof(header: str | None) -> UnverifiedJWT:
    """Return the one proof of a `DPoP` header; raises InvalidProof (RFC 9449 §4.3, items 1 to 6).

    If a header was sent twice, its value contains a comma, which no JWT has.
    """
    if header is None:
        raise InvalidProof("there is no DPoP header")
    try:
        jwt = parse_jwt(header)
    except MalformedJWT:
        raise InvalidProof("it is not one JWT") from None
    if jwt.media_type != _TYPE:
        raise InvalidProof(f"typ is not {_TYPE}")
    if jwt.alg not in SIGNING_ALGORITHMS:
        raise InvalidProof("alg is not one that is accepted here")
    if not isinstance(jwt.header.get("jwk"), Mapping):
        raise InvalidProof("it has no jwk")
    return jwt


def check_claims(claims: Mapping[str, Any], *, method: str, uris: Collection[str], token: str | None) -> None:
    """Raise InvalidProof unless the claims are about this request and token (RFC 9449 §4.2, §4.3 items 8, 9 and 12).

    `uris` are the normal forms of the URI of the request. `token` is None for a request without one, such as a token
    request. The time in `iat` is not checked here.
    """
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise InvalidProof("it has no jti")
    if claims.get("htm") != method:
        raise InvalidProof("htm is not the method of this request")
    if not isinstance(claims.get("htu"), str) or normal_uri(claims["htu"]) not in uris:
        raise InvalidProof("htu is not the URI of this request")
    if token is not None and claims.get("ath") != encode_base64url(digest(token)):
        raise InvalidProof("ath is not the hash of this access token")
    if not is_time(claims.get("iat")):
        raise InvalidProof("it has no iat")


def check_time(claims: Mapping[str, Any], *, now: float, leeway: int) -> None:
    """Raise InvalidProof unless the `iat` of the proof is recent (RFC 9449 §4.3 item 11); times are in seconds."""
    if claims["iat"] < now - MAX_AGE:
        raise InvalidProof("it was made too long ago")
    if claims["iat"] > now + leeway:
        raise InvalidProof("iat is in the future")


def normal_uri(uri: str) -> str | None:
    """Return a URI without query and fragment in the one form that equal URIs share, None if it is not an http URI.

    Unlike RFC 3986 §6.2, it decodes every percent-encoding, because only the decoded path of a request is known.
    """
    parts = split_uri(uri)
    if parts is None or not parts.hostname or parts.scheme not in _PORTS or "@" in parts.netloc:
        return None
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}:{port}{follow_dot_segments(unquote(parts.path))}"


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a public key, in base64url (RFC 7638 §3); raises InvalidProof for other keys."""
    names = _THUMBPRINT_MEMBERS.get(str(jwk.get("kty")), ())
    members = {name: jwk.get(name) for name in names}
    if not members or not all(isinstance(value, str) for value in members.values()):
        raise InvalidProof("jwk is not a public key that is accepted here")
    text = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return encode_base64url(hashlib.sha256(text.encode()).digest())
