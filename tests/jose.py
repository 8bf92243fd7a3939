"""Real keys, and JWTs of every kind made with them by joserfc, none of our own code in the making."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from functools import cache
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.settings import ISSUER

ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
]
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def key(alg: str, name: str = "one") -> Key:
    """Return a private key for an algorithm; one of each name in a session, since RSA takes its time."""
    return _key("RSA" if alg[:2] in ("RS", "PS") else alg, name)


@cache
def _key(kind: str, name: str) -> Key:
    if kind == "RSA":
        return RSAKey.generate_key(2048)
    if kind in _CURVES:
        return ECKey.generate_key(_CURVES[kind])
    return OKPKey.generate_key("Ed448" if kind == "Ed448" else "Ed25519")


def public(alg: str, name: str = "one", /, **members: Any) -> dict[str, Any]:
    """Return the public JWK of a key, with further members."""
    return {**key(alg, name).as_dict(private=False), **members}


def private(alg: str, name: str = "one", /, **members: Any) -> dict[str, Any]:
    return {**key(alg, name).as_dict(private=True), **members}


def pem(alg: str, name: str = "one") -> str:
    """Return the private key as PEM."""
    return key(alg, name).as_pem(private=True).decode()


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(value: Any) -> str:
    """Encode a header or claims; bytes as they are."""
    return encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, whoever signed."""
    header, claims, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(claims))


def sign(header: Any, claims: Any, signer: Key | None = None, *, alg: str | None = None) -> str:
    """Sign with a key, by the `alg` of the header unless another is named."""
    alg = alg or header["alg"]
    signed = f"{part(header)}.{part(claims)}"
    signature = JWSRegistry.algorithms[alg].sign(signed.encode(), signer or key(alg))
    return f"{signed}.{encode(signature)}"


def hmac_signed(header: Any, claims: Any, secret: bytes) -> str:
    """Sign with HS256 and any bytes as the secret, such as somebody's public key."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def other_signature(token: str) -> str:
    """Return an ES256 JWT with the other signature that is as good: s and n - s verify alike."""
    signed, _, signature = token.rpartition(".")
    raw = decode(signature)
    flipped = P256_ORDER - int.from_bytes(raw[32:], "big")
    return f"{signed}.{encode(raw[:32] + flipped.to_bytes(32, 'big'))}"


def assertion_claims(client_id: str, **changes: Any) -> dict[str, Any]:
    """Return good claims of a client assertion; None takes one away."""
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def assertion(client_id: str, *, alg: str = "ES256", name: str = "one", header: Any = None, **changes: Any) -> str:
    """Make a client assertion; `header` changes its header."""
    return sign({"alg": alg, **(header or {})}, assertion_claims(client_id, **changes), key(alg, name), alg=alg)


def asserting(value: str) -> dict[str, str]:
    """Return the form parameters that an assertion is sent in."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": value}


def thumbprint(alg: str = "ES256", name: str = "one") -> str:
    """Return the name by which tokens are bound to a key (RFC 9449 §6)."""
    return key(alg, name).thumbprint()


def proof(
    token: str,
    uri: str,
    *,
    alg: str = "ES256",
    name: str = "one",
    signer: Key | None = None,
    header: Any = None,
    **changes: Any,
) -> str:
    """Make a DPoP proof for a GET; `header` changes its header, the rest its claims; None takes away."""
    head = {"typ": "dpop+jwt", "alg": alg, "jwk": public(alg, name), **(header or {})}
    claims = {
        "jti": secrets.token_urlsafe(16),
        "htm": "GET",
        "htu": uri,
        "iat": int(time.time()),
        "ath": encode(hashlib.sha256(token.encode()).digest()),
        **changes,
    }
    head, claims = ({key: value for key, value in part.items() if value is not None} for part in (head, claims))
    return sign(head, claims, signer or key(alg, name), alg=alg)
