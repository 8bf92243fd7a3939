"""JSON Web Tokens as text: parsed and serialized; signatures are verified elsewhere (RFC 7515)."""

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
"""The most characters of a token or an assertion; most servers reject longer headers anyway."""
SIGNING_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"),
)
"""The algorithms to sign and verify with, all asymmetric: a server that verifies cannot sign (RFC 8725 §3.2)."""
ENCRYPTION_ALGORITHMS = ("RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW")
"""The algorithms that encrypt for the holder of a private key (RFC 7518 §4.1); RSA1_5 is not safe (RFC 8725 §3.2)."""
CONTENT_ALGORITHMS = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
"""The algorithms that encrypt the content, the default of RFC 9701 §6 first (RFC 7518 §5.1)."""
ACCESS_TOKEN_TYPE = "at+jwt"
_LOOKED_AT = 64
_STANDARD = bytes.maketrans(b"-_+/=", b"+/   ")
"""From the alphabet of base64url to that of `binascii`, and from characters of the latter to one that it rejects."""
_JSON_SPACE, _BYTE_ORDER_MARK = b" \t\r\n", b"\xef\xbb\xbf"


class MalformedJWT(ValueError):
    """The text is not a well-formed signed JWT; the message quotes no part of it."""


@dataclass(frozen=True, slots=True, repr=False)
class UnverifiedJWT:
    """The header and claims of a JWT, which prove nothing until its signature is verified."""

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
        """The key that it claims: a name to compare, never a URL to fetch."""
        return self.header.get("kid")

    @property
    def media_type(self) -> str | None:
        """The explicit type in lower case and without `application/` (RFC 7515 §4.1.9, RFC 8725 §3.11)."""
        typ = self.header.get("typ")
        return None if typ is None else str(typ).lower().removeprefix("application/")


def looks_like_jwt(value: str) -> bool:
    """Return whether a value can be a JWT in compact form, which has three parts; our opaque tokens have one."""
    return value.count(".") == 2


def token_identity(token: str) -> bytes:
    """Return the digest under which the revocation of a token is recorded. For a JWT it leaves out the signature.

    A signature can be altered and stay valid, so one JWT can have several spellings.
    """
    return digest(token.rpartition(".")[0] if looks_like_jwt(token) else token)


def parse_jwt(value: str, *, longest: int = MAX_JWT) -> UnverifiedJWT:
    """Parse a JWT in compact form of at most so many characters; raises MalformedJWT.

    Text with more than one reading is malformed: base64url with padding or stray bits, or repeated members. So is any
    `crit`, because we understand no extension (RFC 7515 §4.1.11).
    """
    if len(value) > longest or not value.isascii() or not looks_like_jwt(value):
        raise MalformedJWT("it is no JWT in compact form")
    signing_input, _, signature = value.rpartition(".")
    first, _, second = signing_input.partition(".")
    header, claims = _json_part(first), _json_part(second)
    if not isinstance(header.get("alg"), str):
        raise MalformedJWT("the header has no alg")
    if "crit" in header:
        raise MalformedJWT("the header has crit")
    if not isinstance(header.get("kid", ""), str) or not isinstance(header.get("typ", ""), str):
        raise MalformedJWT("a member of the header has the wrong type")
    return UnverifiedJWT(header, claims, signing_input, decode_base64url(signature))


def encryption_header(value: str) -> Mapping[str, Any]:
    """Return the header of an encrypted JWT in compact form (RFC 7516 §7.1); raises MalformedJWT.

    Compression is refused, because a short text could become a very long one (RFC 8725 §3.6).
    """
    if value.count(".") != 4 or not value.isascii():
        raise MalformedJWT("it is no encrypted JWT in compact form")
    header = _json_part(value.partition(".")[0])
    if header.get("alg") not in ENCRYPTION_ALGORITHMS or header.get("enc") not in CONTENT_ALGORITHMS:
        raise MalformedJWT("the header names no supported alg and enc")
    if not header.keys().isdisjoint({"crit", "zip"}):
        raise MalformedJWT("the header has crit or zip")
    return header


def has_jose_header(value: str) -> bool:
    """Return whether a value begins like a JWT, signed or encrypted, valid or not: with a JSON object in base64url.

    This is more lenient than `parse_jwt`: if another program may read the value as a JWT, the result is True.
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
    if not text:
        return bool(begins)
    member = text[1:].lstrip(_JSON_SPACE)  # one random opaque token in 256 begins with a brace
    return text.startswith(b"{") and (not member or member.startswith((b'"', b"}")))


def claimed_issuer(value: str) -> str | None:
    """Return the `iss` that a JWT claims, None if it has no readable one. Use it to choose a backend, not as proof."""
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
    """Decode the canonical spelling of some bytes; raises MalformedJWT for any other."""
    try:
        padded = text.encode("ascii").translate(_STANDARD) + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:  # binascii.Error is one
        raise MalformedJWT("a part is not base64url") from None
    if binascii.b2a_base64(data, newline=False) != padded:
        raise MalformedJWT("a part is not base64url in its one spelling")
    return data


def _json_part(part: str) -> dict[str, Any]:
    try:
        return parse_json_object(decode_base64url(part))
    except MalformedJWT:
        raise
    except ValueError as problem:
        raise MalformedJWT(f"a part {problem}") from None
