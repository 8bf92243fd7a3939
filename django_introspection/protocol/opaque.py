"""Generated values: a prefix that secret scanners find, 256 random bits, a checksum.

`dit_at_` access token, `dit_rt_` refresh token, `dit_cs_` client secret; then 43 characters of
randomness and 6 of CRC-32, both base 62.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

ACCESS_TOKEN = "dit_at_"
REFRESH_TOKEN = "dit_rt_"
CLIENT_SECRET = "dit_cs_"

MIN_PROVISIONED_SECRET = 32
"""The fewest characters of a secret made elsewhere: only its fast digest is stored, so it must be unguessable."""

MAX_IDENTIFIER = 255
"""Characters of the longest client identifier."""

_ALPHABET = string.digits + string.ascii_letters
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_GENERATED = re.compile(r"dit_[a-z]{2}_[0-9A-Za-z]{49}")
_SECRET = re.compile(r"dit_[a-z]{2}_|eyJ[\w-]*\.eyJ")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def generate(prefix: str) -> str:
    """Make a value with 256 random bits; RFC 6749 §10.10 asks for 160."""
    body = prefix + _base62(secrets.randbits(256), 43)
    return body + _checksum(body)


def digest(value: str) -> bytes:
    """Return the 32-byte SHA-256 under which a value is stored."""
    return hashlib.sha256(value.encode()).digest()


def may_be_token(value: str) -> bool:
    """Return whether a look-up of a token can find a row.

    False for control characters, for a value with our prefix and a wrong shape or checksum, and for a
    client secret.
    """
    if not value or _CONTROL.search(value):
        return False
    if not value.startswith("dit_"):
        return True
    return value.startswith((ACCESS_TOKEN, REFRESH_TOKEN)) and _is_intact(value)


def has_control_characters(value: str) -> bool:
    """Return whether a value has control characters, which no credential has and some databases reject."""
    return bool(_CONTROL.search(value))


def loggable_identifier(value: str) -> str:
    """Return a client identifier as it was sent, or a placeholder if the value may be a token or a secret.

    If a client swaps its identifier and its secret, the secret must not appear in the log. Generated values, JWTs and
    values longer than any identifier are replaced.
    """
    if len(value) > MAX_IDENTIFIER or _SECRET.search(value):
        return "(a secret or token)"
    return value


def hint(value: str) -> str:
    """Return the last four characters, by which an operator recognizes a secret."""
    return value[-4:]


def _is_intact(value: str) -> bool:
    return bool(_GENERATED.fullmatch(value)) and _checksum(value[:-6]) == value[-6:]


def _checksum(body: str) -> str:
    """Return six digits; every request with a token of ours compares them, so they are written two by two."""
    number, last = divmod(zlib.crc32(body.encode()), 3844)
    first, middle = divmod(number, 3844)
    return _PAIRS[first] + _PAIRS[middle] + _PAIRS[last]


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
