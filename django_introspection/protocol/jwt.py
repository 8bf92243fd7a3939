"""JSON Web Tokens as text: taken apart and put together; whether a signature is good is not known here (RFC 7515)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .opaque import digest
from .strict_json import parse_json_object

MAX_JWT = 16 * 1024
"""Characters of a token or an assertion that are read; servers refuse longer headers anyway."""
SIGNING_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
)
"""The algorithms to sign and verify with, all asymmetric: a server that verifies cannot sign (RFC 8725 §3.2)."""
ACCESS_TOKEN_TYPE = "at+jwt"
_LOOKED_AT = 64
_JSON_SPACE, _BYTE_ORDER_MARK = b" \t\r\n", b"\xef\xbb\xbf"


class MalformedJWT(ValueError):
    """The text is no signed JWT that could be judged; the message holds none of it."""


@dataclass(frozen=True, slots=True, repr=False)
class UnverifiedJWT:
    """What a JWT says, which is worth nothing before its signature was verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: str
    signature: bytes

    @property
    def alg(self) -> str:
        """The algorithm that it claims."""
        return str(self.header["alg"])

    @property
    def kid(self) -> str | None:
        """The key that it claims: a name to compare, never a place to look."""
        return self.header.get("kid")

    @property
    def media_type(self) -> str | None:
        """The explicit type in lower case and without `application/` (RFC 7515 §4.1.9, RFC 8725 §3.11)."""
        typ = self.header.get("typ")
        return None if typ is None else str(typ).lower().removeprefix("application/")


def looks_like_jwt(value: str) -> bool:
    """Tell whether a value can be a JWT in compact form: three parts. Our opaque tokens have one."""
    return value.count(".") == 2


def token_identity(token: str) -> bytes:
    """Return the digest by which a token is known to be revoked: of a JWT without its signature.

    A signature can be altered and stay good, so that one JWT has several spellings.
    """
    return digest(token.rpartition(".")[0] if looks_like_jwt(token) else token)


def parse_jwt(value: str) -> UnverifiedJWT:
    """Take a JWT in compact form apart; raises MalformedJWT.

    Refuses what has more than one reading: base64url with padding or stray bits, repeated members, and any `crit`,
    because we understand no extension (RFC 7515 §4.1.11).
    """
    if len(value) > MAX_JWT or not value.isascii() or not looks_like_jwt(value):
        raise MalformedJWT("it is no JWT in compact form")
    signing_input, _, signature = value.rpartition(".")
    header, claims = (_json_part(part) for part in signing_input.split("."))
    if not isinstance(header.get("alg"), str):
        raise MalformedJWT("the header has no alg")
    if "crit" in header:
        raise MalformedJWT("the header has crit")
    if not all(isinstance(header.get(name, ""), str) for name in ("kid", "typ")):
        raise MalformedJWT("a member of the header has the wrong type")
    return UnverifiedJWT(header, claims, signing_input, decode_base64url(signature))


def has_jose_header(value: str) -> bool:
    """Tell whether a value begins like a JWT, signed or encrypted, good or broken: with a JSON object in base64url.

    Lax where `parse_jwt` is strict: what somebody else may take for a JWT is one here.
    """
    first, dot, _ = value.partition(".")
    start = first[:_LOOKED_AT].rstrip("=")
    if not dot or not start.isascii():
        return False
    try:
        begins = base64.b64decode(start + "=" * (-len(start) % 4), altchars=b"-_")
    except (binascii.Error, ValueError):
        return False
    text = begins.removeprefix(_BYTE_ORDER_MARK).lstrip(_JSON_SPACE)
    return bool(begins) and (not text or text.startswith(b"{"))


def claimed_issuer(value: str) -> str | None:
    """Return the `iss` that a JWT claims, None where it has no readable one: good to choose, not to believe."""
    try:
        issuer = parse_jwt(value).claims.get("iss")
    except MalformedJWT:
        return None
    return issuer if isinstance(issuer, str) else None


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return the text that is signed (RFC 7515 §5.1)."""
    return ".".join(
        encode_base64url(json.dumps(part, separators=(",", ":"), allow_nan=False).encode()) for part in (header, claims)
    )


def encode_base64url(data: bytes) -> str:
    """Encode without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """Decode the one spelling that some bytes have; raises MalformedJWT."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise MalformedJWT("a part is not base64url") from None
    if encode_base64url(data) != text:
        raise MalformedJWT("a part is not base64url in its one spelling")
    return data


def _json_part(part: str) -> dict[str, Any]:
    try:
        return parse_json_object(decode_base64url(part))
    except MalformedJWT:
        raise
    except ValueError as problem:
        raise MalformedJWT(f"a part {problem}") from None
