"""The signing keys of this server, from the setting SIGNING_KEYS: read once, on first use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.signals import setting_changed

from .conf import introspection_settings
from .exceptions import InvalidSetting
from .jose import KeyProblem, SigningKey, is_repeated, is_signed_by, read_signing_key
from .protocol.error_reports import conceal_locals
from .protocol.jwt import SIGNING_ALGORITHMS, UnverifiedJWT
from .protocol.strict_json import parse_json_object
from .setting_values import NAME, invalid_setting, one_of, unknown_keys

if TYPE_CHECKING:
    from .jwe import DecryptionKey

KEY_SOURCES = ("KEY", "FILE", "ENV")
DEFAULT_ALGORITHM = "RS256"
"""The algorithm for a client that has registered none (RFC 9701 §6)."""


@lru_cache(maxsize=1)
def signing_keys() -> tuple[SigningKey, ...]:
    """Return the keys, the one that signs first; raises InvalidSetting that names the place."""
    return read_keys(introspection_settings.SIGNING_KEYS)


def signing_key(algorithm: str) -> SigningKey | None:
    """Return the first key for an algorithm that a client has registered; None also without ISSUER.

    If the algorithm is empty, the key for DEFAULT_ALGORITHM is returned, or else the first. Raises InvalidSetting.
    """
    keys = () if introspection_settings.ISSUER is None else signing_keys()
    found = next((key for key in keys if key.alg == (algorithm or DEFAULT_ALGORITHM)), None)
    return found or (keys[0] if keys and not algorithm else None)


def signed_here(jwt: UnverifiedJWT) -> bool:
    """Return whether one of our keys made the signature of a JWT."""
    return is_signed_by((key.verification_key for key in signing_keys()), jwt)


@conceal_locals
def read_keys(entries: Iterable[Any]) -> tuple[SigningKey, ...]:
    """Read the keys of some entries of SIGNING_KEYS; raises InvalidSetting."""
    keys = []
    for number, entry in enumerate(entries):
        try:
            keys.append(read_key(entry))
        except KeyProblem as problem:
            raise InvalidSetting(f"{NAME}['SIGNING_KEYS'][{number}] cannot be used: {problem}.") from None
    if is_repeated(key.kid for key in keys):
        raise invalid_setting("SIGNING_KEYS", problem="must not have two keys with the same KID")
    return tuple(keys)


@conceal_locals
def read_key(entry: Any) -> SigningKey:
    """Read the private key of an entry like those of SIGNING_KEYS; raises KeyProblem."""
    if problem := entry_problem(entry):
        raise KeyProblem(problem)
    return read_signing_key(_key_of(entry), kid=entry.get("KID"), alg=entry.get("ALG"))


@conceal_locals
def read_decryption_key(entry: Any) -> DecryptionKey:
    """Read the private key of an entry like those of SIGNING_KEYS, for decryption; raises KeyProblem."""
    from . import jwe

    if problem := entry_problem(entry):
        raise KeyProblem(problem)
    if "ALG" in entry:
        raise KeyProblem("the entry must not have 'ALG', which names an algorithm that signs")
    return jwe.read_decryption_key(_key_of(entry), kid=entry.get("KID"))


def entry_problem(entry: Any) -> str | None:
    """Return the problem of an entry that names the place of a private key, None if it is valid."""
    if not isinstance(entry, Mapping):
        return "the entry must be a dictionary"
    if unknown := entry.keys() - {*KEY_SOURCES, "KID", "ALG"}:
        return f"the entry {unknown_keys(unknown, (*KEY_SOURCES, 'KID', 'ALG'))}"
    if len(entry.keys() & set(KEY_SOURCES)) != 1:
        return f"the entry must have one of {', '.join(map(repr, KEY_SOURCES))}"
    if not isinstance(entry.get("KID", "-"), str) or not entry.get("KID", "-"):
        return "'KID' must be a string that is not empty"
    if entry.get("ALG", SIGNING_ALGORITHMS[0]) not in SIGNING_ALGORITHMS:
        return f"'ALG' {one_of(SIGNING_ALGORITHMS)}"
    return None


def _key_of(entry: Mapping[str, Any]) -> str | Mapping[str, Any]:
    """Return the PEM text or the members of the JWK that an entry means; raises KeyProblem."""
    value = entry.get("KEY")
    if "ENV" in entry:
        value = os.environ.get(str(entry["ENV"]))
        if value is None:
            raise KeyProblem("the variable named by 'ENV' is not set")
    elif "FILE" in entry:
        value = _read(entry["FILE"])
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        raise KeyProblem("'KEY' is neither text nor a dictionary")
    if not value.lstrip().startswith("{"):
        return value
    try:
        return parse_json_object(value.encode())
    except ValueError as problem:
        raise KeyProblem(f"it looks like a JWK, but {problem}") from None


def _read(path: Any) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, TypeError, ValueError) as error:
        raise KeyProblem(f"'FILE' cannot be read: {type(error).__name__}") from None


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        signing_keys.cache_clear()


setting_changed.connect(_settings_changed)
