"""Assertions about refusals: their status and the challenge in `WWW-Authenticate` (RFC 6750 §3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.scope import parse_scope

STATUS = {
    None: 401,
    "invalid_request": 400,
    "invalid_token": 401,
    "insufficient_scope": 403,
    "insufficient_user_authentication": 401,
    "invalid_dpop_proof": 401,
    "use_dpop_nonce": 401,
}
"""The status of an error code (RFC 6750 §3.1, RFC 9470 §3, RFC 9449 §7.1); None is a request without a token."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?P<quoted>(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"'
_PARAMETER = re.compile(rf"(?P<name>{_TOKEN})[ \t]*=[ \t]*(?:{_QUOTED}|(?P<token>{_TOKEN}))")
_SCHEME = re.compile(rf"(?P<scheme>{_TOKEN})(?: +|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))")
_COMMA = re.compile(r"[ \t]*,[ \t]*(?=.)")
_STRICT = dict.fromkeys(
    ("error", "error_description", "error_uri", "scope"), re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
)
"""The characters that RFC 6750 §3 leaves to some parameters: no quote and no backslash, so nothing is ever escaped."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme as it was written, and its parameters by lower-case name."""

    scheme: str
    parameters: Mapping[str, str]


def assert_challenge(
    response: Any,
    error: str | None = None,
    *,
    scope: str | Iterable[str] | None = None,
    scheme: str = "Bearer",
    status: int | None = None,
    **parameters: str,
) -> Challenge:
    """Assert that a response refuses with one challenge of this scheme, and return it.

    `error` None is a challenge without error code: no token was sent. The status is the one of RFC 6750 §3.1 for the
    error, or `status`. `scope` is compared without order; other parameters (`realm`, …) as they are, if given. Takes
    responses of Django, DRF and HTTP clients. Raises AssertionError that names the difference.
    """
    __tracebackhide__ = True
    wanted: dict[str, Any] = {"error": error, **parameters}
    _assert_status(response, STATUS.get(error) if status is None else status)
    challenge = _only(response, scheme)
    if scope is not None:
        wanted["scope"] = _scope_set(scope)
    for name, value in wanted.items():
        found: Any = challenge.parameters.get(name)
        if name == "scope" and found is not None:
            found = _scope_set(found)
        if found != value:
            raise AssertionError(f"{name}: expected {_shown(value)}, found {_shown(found)} in {_header(response)!r}")
    return challenge


def assert_unauthorized(response: Any, *, scheme: str = "Bearer") -> Challenge:
    """Assert that a response is 401 with one challenge of this scheme and any error code, and return the challenge."""
    __tracebackhide__ = True
    _assert_status(response, 401)
    return _only(response, scheme)


def assert_unavailable(response: Any) -> None:
    """Assert that a response is 503 with Retry-After and without a challenge, because the token may be active."""
    __tracebackhide__ = True
    _assert_status(response, 503)
    if not str(response.headers.get("Retry-After", "")).isdecimal():
        raise AssertionError(f"Retry-After: expected seconds, found {_shown(response.headers.get('Retry-After'))}")
    if _header(response) is not None:
        raise AssertionError(f"WWW-Authenticate: expected none, found {_header(response)!r}")


def parse_challenges(header: str) -> list[Challenge]:
    """Read every challenge of a header as strictly as RFC 9110 §11.6.1 and RFC 6750 §3; raises ValueError."""
    challenges, rest = [], header
    while rest:
        if not (start := _SCHEME.match(rest)):
            raise ValueError(f"not a challenge: {rest!r}")
        parameters, rest = _parameters(rest[start.end() :])
        challenges.append(Challenge(start["scheme"], parameters))
    return challenges


def _parameters(rest: str) -> tuple[dict[str, str], str]:
    """Return the parameters at the start of some text, and the text from the next challenge on."""
    parameters: dict[str, str] = {}
    if encoded := _TOKEN68.match(rest):
        return parameters, _after_comma(rest[encoded.end() :])
    while found := _PARAMETER.match(rest):
        name, written = found["name"].lower(), found["token"] or found["quoted"]
        if name in parameters:
            raise ValueError(f"the parameter {name} comes twice")
        if name in _STRICT and not _STRICT[name].fullmatch(written):
            raise ValueError(f"the parameter {name} has a character that RFC 6750 §3 forbids")
        parameters[name] = re.sub(r"\\(.)", r"\1", written)
        rest = _after_comma(rest[found.end() :])
    return parameters, rest if parameters else _after_comma(rest)


def _after_comma(rest: str) -> str:
    if not rest:
        return ""
    if not (comma := _COMMA.match(rest)):
        raise ValueError(f"exactly one comma must separate parameters and challenges: {rest!r}")
    return rest[comma.end() :]


def _only(response: Any, scheme: str) -> Challenge:
    __tracebackhide__ = True
    header = _header(response)
    if header is None:
        raise AssertionError("WWW-Authenticate: expected a challenge, found none")
    try:
        challenges = parse_challenges(header)
    except ValueError as problem:
        raise AssertionError(f"WWW-Authenticate: {problem}, in {header!r}") from None
    named = [challenge for challenge in challenges if challenge.scheme.lower() == scheme.lower()]
    if len(named) != 1:
        raise AssertionError(f"WWW-Authenticate: expected one {scheme} challenge, found {len(named)} in {header!r}")
    if not named[0].parameters:
        raise AssertionError(f"WWW-Authenticate: a challenge has a parameter at least, none is in {header!r}")
    return named[0]


def _assert_status(response: Any, status: int | None) -> None:
    __tracebackhide__ = True
    if status is None:
        raise TypeError("name the status: RFC 6750 has no such error code")
    if response.status_code != status:
        challenge = _header(response)
        shown = "no challenge" if challenge is None else f"the challenge {challenge!r}"
        raise AssertionError(f"status: expected {status}, found {response.status_code} with {shown}")


def _header(response: Any) -> str | None:
    header: str | None = response.headers.get("WWW-Authenticate")
    return header


def _scope_set(scope: str | Iterable[str]) -> frozenset[str]:
    try:
        return frozenset(parse_scope(scope) if isinstance(scope, str) else scope)
    except ValueError as problem:
        raise AssertionError(f"scope: {problem}: {scope!r}") from None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return repr(" ".join(sorted(value)) if isinstance(value, frozenset) else value)
