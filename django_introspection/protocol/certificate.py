"""The certificate of a TLS client, in the forms in which servers and proxies hand it on (RFC 8705, RFC 9440)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from .jwt import encode_base64url

MAX_HEADER = 64 * 1024
"""Characters of a header that are read; a certificate has a few thousand."""
_RFC_9440 = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_XFCC_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^;,"]*)')
_SEQUENCE = 0x30


class MalformedCertificate(ValueError):
    """The value is not one certificate; the message names the reason and quotes no part of it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate of the client of a connection; its key is the client's, as the handshake has proven.

    `is_validated` tells whether a chain leads from it to an authority that the server trusts.
    """

    der: bytes = field(repr=False)
    is_validated: bool

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint in base64url: `x5t#S256` (RFC 8705 §3.1)."""
        return thumbprint_of(self.der)


def thumbprint_of(der: bytes) -> str:
    """Return the SHA-256 thumbprint of a certificate in base64url (RFC 8705 §3.1)."""
    return encode_base64url(hashlib.sha256(der).digest())


def is_thumbprint(value: object) -> bool:
    """Return whether a value has the form of a thumbprint: 32 bytes in base64url."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{43}", value) is not None


def read_header(form: str, value: str) -> bytes:
    """Return the certificate of a header in one of FORMS; raises MalformedCertificate.

    If a header was sent twice, its value contains a comma, which none of the forms has outside of quotes.
    """
    if len(value) > MAX_HEADER:
        raise MalformedCertificate("the header is too long")
    return FORMS[form](value.strip())


def read_pem(value: str) -> bytes:
    """Read PEM, percent-encoded or not, with line ends, spaces or tabs between its lines (nginx, Apache, servers)."""
    text = unquote(value).strip()
    if not text.startswith(_BEGIN) or not text.endswith(_END):
        raise MalformedCertificate("it is not one certificate in PEM")
    return _decoded("".join(text.removeprefix(_BEGIN).removesuffix(_END).split()))


def read_base64(value: str) -> bytes:
    """Read base64 without the lines of PEM around it, percent-encoded or not (Traefik, HAProxy, RFC 7517 x5c)."""
    return _decoded(unquote(value))


def _read_rfc9440(value: str) -> bytes:
    """Read a byte sequence of structured fields (RFC 9440 §2.1)."""
    found = _RFC_9440.fullmatch(value)
    if found is None:
        raise MalformedCertificate("it is not one byte sequence")
    return _decoded(found[1])


def _read_envoy(value: str) -> bytes:
    """Read the member Cert of the one element of X-Forwarded-Client-Cert."""
    certificates, place = [], 0
    while pair := _XFCC_PAIR.match(value, place):
        if pair[1].lower() == "cert":
            certificates.append(pair[2].strip('"'))
        place = pair.end() + 1
        if value[pair.end() : place] not in (";", ""):
            break
    if place <= len(value) or len(certificates) != 1:
        raise MalformedCertificate("it is not one element with one Cert")
    return read_pem(certificates[0])


FORMS: dict[str, Callable[[str], bytes]] = {
    "rfc9440": _read_rfc9440,
    "pem": read_pem,
    "base64": read_base64,
    "envoy": _read_envoy,
}
"""The forms of a header."""


def _decoded(text: str) -> bytes:
    """Return the bytes of base64 that begin an ASN.1 sequence of exactly this length, as a certificate does."""
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedCertificate("it is not base64") from None
    if not _is_one_sequence(der):
        raise MalformedCertificate("it is not one certificate in DER")
    return der


def _is_one_sequence(der: bytes) -> bool:
    if len(der) < 2 or der[0] != _SEQUENCE:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    size = der[1] & 0x7F
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")
