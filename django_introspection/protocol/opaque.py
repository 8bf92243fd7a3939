"""Generated values: a prefix that secret scanners find, a kind, 256 random bits, a checksum.

With the prefix `dit`: `dit_at_` access token, `dit_rt_` refresh token, `dit_cs_` client secret; then 43 characters of
randomness and 6 of CRC-32, both base 62.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

DEFAULT_PREFIX = "dit"
ACCESS_TOKEN = "at"
REFRESH_TOKEN = "rt"
CLIENT_SECRET = "cs"
KINDS = (ACCESS_TOKEN, REFRESH_TOKEN, CLIENT_SECRET)
MIN_PREFIX, MAX_PREFIX = 2, 20
"""Characters of a prefix."""
GENERATED_LENGTH = 49
"""Characters behind the prefix and the kind: the randomness and the checksum."""

MIN_PROVISIONED_SECRET = 32
"""The fewest characters of a secret made elsewhere: only its fast digest is stored, so it must be unguessable."""

MAX_IDENTIFIER = 255
"""Characters of the longest client identifier."""

_ALPHABET = string.digits + string.ascii_letters
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PREFIX = re.compile(rf"[a-z][a-z0-9]{{{MIN_PREFIX - 1},{MAX_PREFIX - 1}}}")
_GENERATED = re.compile(rf"{_PREFIX.pattern}_([a-z]{{2}})_[0-9A-Za-z]{{{GENERATED_LENGTH}}}")
_SECRET = re.compile(rf"{DEFAULT_PREFIX}_[a-z]{{2}}_|[a-z0-9]_(?:{'|'.join(KINDS)})_[0-9A-Za-z]{{20}}|eyJ[\w-]*\.eyJ")
"""A value that is not logged, with any prefix. If fewer characters are logged, 137 random bits stay secret."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def prefix_problem(prefix: str) -> str | None:
    """Return why generated values cannot begin with a prefix, None if they can.

    Without an underscore in it, no prefix is the beginning of another one. A generated value has no capital letter
    before the second underscore and no dot, so it never looks like a JWT.
    """
    if not _PREFIX.fullmatch(prefix):
        return f"must be {MIN_PREFIX} to {MAX_PREFIX} lower-case letters and digits, a letter first"
    return None


class TokenPrefix:
    """The beginning of the values that a deployment generates.

    Values that were issued under a former prefix stay valid: they are looked up like those of another server.
    """

    __slots__ = ("_known", "_token", "text")

    def __init__(self, text: str = DEFAULT_PREFIX) -> None:
        self.text = text
        self._known = tuple({f"{text}_", f"{DEFAULT_PREFIX}_"})
        self._token = re.compile(
            rf"(?:{'|'.join(self._known)})(?:{ACCESS_TOKEN}|{REFRESH_TOKEN})_[0-9A-Za-z]{{{GENERATED_LENGTH}}}"
        )

    def generate(self, kind: str) -> str:
        """Make a value of one of KINDS with 256 random bits; RFC 6749 §10.10 asks for 160."""
        body = f"{self.text}_{kind}_{_base62(secrets.randbits(256), 43)}"
        return body + _checksum(body)

    def begins(self, value: str, kind: str = "") -> bool:
        """Return whether a value begins with this prefix or the default one, and with a kind if one is named."""
        return value.startswith(tuple(known + kind for known in self._known))

    def may_be_token(self, value: str) -> bool:
        """Return whether a look-up of a token can find a row.

        False for control characters, for a value with our prefix and a wrong shape or checksum, and for a
        client secret with any prefix.
        """
        if not value or _CONTROL.search(value):
            return False
        if value.startswith(self._known):
            return self._token.fullmatch(value) is not None and _is_intact(value)
        return "_cs_" not in value or kind_of(value) != CLIENT_SECRET

    def __repr__(self) -> str:
        return f"TokenPrefix({self.text!r})"


def generate(kind: str) -> str:
    """Make a value of one of KINDS with the default prefix."""
    return TokenPrefix().generate(kind)


def kind_of(value: str) -> str | None:
    """Return the kind of a generated value with any prefix, None for a value of another shape or a wrong checksum."""
    found = _GENERATED.fullmatch(value)
    return found[1] if found is not None and found[1] in KINDS and _is_intact(value) else None


def digest(value: str) -> bytes:
    """Return the 32-byte SHA-256 under which a value is stored."""
    return hashlib.sha256(value.encode()).digest()


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
    return _checksum(value[:-6]) == value[-6:]


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
