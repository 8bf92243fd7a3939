"""The row of an issuer as an entry of BACKENDS: two kinds of backends, and secrets by reference alone.

Operators may write rows; only the people who run the servers may give them secrets. A reference therefore names a
variable or file that was made for this purpose, so that no row can send another secret to a server of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from ...exceptions import InvalidBackend
from ...protocol.error_reports import conceal_locals

BACKENDS = {"jwt": "django_introspection.backends.JWTBackend", "remote": "django_introspection.backends.RemoteBackend"}
SECRETS = ("client_secret", "bearer_token")
"""Options whose value is a secret."""
PREFIX = "TRUSTED_ISSUER_"
"""The beginning of the name of each variable or file that a row may refer to; in the name of a file case is ignored."""
MAX_SECRET = 64 * 1024


def entry_of(backend: str, options: Any, cache: Any) -> dict[str, Any]:
    """Return a row as an entry of BACKENDS, with the secrets read; raises InvalidBackend."""
    if backend not in BACKENDS:
        raise InvalidBackend(f"backend must be one of {', '.join(BACKENDS)}.")
    if problem := options_problem(options):
        raise InvalidBackend(problem)
    read = {name: _read(name, value) for name, value in options.items()}
    return {"BACKEND": BACKENDS[backend], "OPTIONS": read, **({} if cache is None else {"CACHE": cache})}


def options_problem(options: Any) -> str | None:
    """Return the rule that the options of a row break, None if they hold no secret and refer to permitted places."""
    if not isinstance(options, Mapping):
        return "options must be a JSON object."
    for name, value in options.items():
        if name == "issuer":
            return "options must not have 'issuer': the row names it."
        if name in SECRETS and not isinstance(value, Mapping):
            return f'{name} must be a reference such as {{"ENV": "{PREFIX}SHOP"}}: a secret is not stored here.'
        if name == "private_key" and isinstance(value, Mapping) and "KEY" in value:
            return "private_key must name 'ENV' or 'FILE': a key is not stored here."
        if name == "proxy" and "@" in str(value) and not isinstance(value, Mapping):
            return "proxy must not contain credentials: refer to the whole URL by 'ENV' or 'FILE'."
        for reference in _references(name, value):
            if problem := _reference_problem(name, reference):
                return problem
    return None


def _references(name: str, value: Any) -> list[Mapping[str, Any]]:
    if name == "headers" and isinstance(value, Mapping):
        return [each for each in value.values() if isinstance(each, Mapping)]
    return [value] if isinstance(value, Mapping) else []


def _reference_problem(name: str, reference: Mapping[str, Any]) -> str | None:
    places = reference.keys() - ({"KID", "ALG"} if name == "private_key" else set())
    if len(places) != 1 or not places <= {"ENV", "FILE"}:
        return f"{name} must name either 'ENV' or 'FILE'."
    (place,) = places
    target = reference[place]
    if not isinstance(target, str) or not _name_of(place, target).startswith(PREFIX):
        return f"{name} must refer to a variable or file whose name begins with {PREFIX}."
    return None


def _name_of(place: str, target: str) -> str:
    return target if place == "ENV" else PurePath(target).name.upper()


def _read(name: str, value: Any) -> Any:
    if name == "headers" and isinstance(value, Mapping):
        return {each: _secret(name, content) for each, content in value.items()}
    return value if name == "private_key" else _secret(name, value)  # a backend reads its key by itself


@conceal_locals
def _secret(name: str, value: Any) -> Any:
    """Return the value to which a reference leads, without a line end behind it; raises InvalidBackend."""
    if not isinstance(value, Mapping):
        return value
    if "ENV" in value:
        secret = os.environ.get(value["ENV"])
        if secret is None:
            raise InvalidBackend(f"{name}: the variable that 'ENV' names is not set.")
        return secret
    try:
        with Path(value["FILE"]).open(encoding="utf-8") as file:
            return file.read(MAX_SECRET).rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise InvalidBackend(f"{name}: the file that 'FILE' names cannot be read ({type(error).__name__}).") from None
