"""The row of an issuer as an entry of BACKENDS: two kinds of backends, and secrets by reference alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import InvalidBackend
from ...protocol.error_reports import conceal_locals
from ...secret_references import UnreadableSecret, read_secret, reference_problem

BACKENDS = {"jwt": "django_introspection.backends.JWTBackend", "remote": "django_introspection.backends.RemoteBackend"}
SECRETS = ("client_secret", "bearer_token")
"""Options whose value is a secret."""
PREFIX = "TRUSTED_ISSUER_"
"""The beginning of the name of each variable or file that a row may refer to; in the name of a file case is ignored."""


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
    ignored = {"KID", "ALG"} if name == "private_key" else set()
    places = {place: target for place, target in reference.items() if place not in ignored}
    problem = reference_problem(places, prefix=PREFIX)
    return None if problem is None else f"{name} {problem}."


def _read(name: str, value: Any) -> Any:
    if name == "headers" and isinstance(value, Mapping):
        return {each: _secret(name, content) for each, content in value.items()}
    return value if name == "private_key" else _secret(name, value)  # a backend reads its key by itself


@conceal_locals
def _secret(name: str, value: Any) -> Any:
    """Return the value to which a reference leads, without a line end behind it; raises InvalidBackend."""
    if not isinstance(value, Mapping):
        return value
    try:
        return read_secret(value, prefix=PREFIX)
    except UnreadableSecret as problem:
        raise InvalidBackend(f"{name}: {problem}.") from None
