"""The responses of a token endpoint (RFC 6749 §5, RFC 8693 §2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..protocol.errors import CredentialsRefused, ExchangeRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.obtained_token import ObtainedToken
from ..protocol.strict_json import parse_json_document
from .busy import refuse_if_busy
from .messages import Reply

_REFUSALS = frozenset({400, 401, 403})
_OF_THE_CLIENT = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Error codes about this client or its registration: no other token would help (RFC 6749 §5.2)."""
_OUTAGES = frozenset({"server_error", "temporarily_unavailable"})
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,60}")
_NOT_FOR_BEARER = "N_A"
"""The `token_type` of a token that is not used as an access token (RFC 8693 §2.2.1)."""
_FARTHEST = 10 * 365 * 24 * 60 * 60
"""Seconds: a later end cannot be told from no end at all."""


class Issued(NamedTuple):
    """A token, and its life in seconds from the moment of the request; None if the response does not say."""

    token: ObtainedToken
    lifetime: float | None


def read_token(reply: Reply, *, asked_at: float, scope: str | None) -> Issued:
    """Return the token of a response to client_credentials (RFC 6749 §5.1), requested with this scope.

    Raises CredentialsRefused for every refusal, which is about this client alone, and IntrospectionUnavailable.
    """
    if reply.status in _REFUSALS:
        raise _credentials_refused(reply, error_code(reply))
    issued = _read(reply, asked_at, scope)
    if not issued.token.is_bearer:
        raise InvalidResponse("the token response has no bearer token")
    return issued


def read_exchanged(reply: Reply, *, asked_at: float, scope: str | None, requested_type: str | None) -> Issued:
    """Return the token of a response to an exchange (RFC 8693 §2.2).

    Raises ExchangeRefused if the server rejects the request for this token, CredentialsRefused if it rejects this
    client, and IntrospectionUnavailable.
    """
    if reply.status in _REFUSALS:
        code = error_code(reply)
        if code in _OUTAGES:
            raise IntrospectionUnavailable(f"the token endpoint answers {reply.status} {code}")
        if code is None and reply.status != 401:
            raise InvalidResponse(f"the token endpoint answers {reply.status} without an error code")
        if code is None or code in _OF_THE_CLIENT:
            raise _credentials_refused(reply, code)
        raise ExchangeRefused(code, _error_members(reply))
    issued = _read(reply, asked_at, scope)
    issued_type = issued.token.issued_token_type
    if requested_type is not None and issued_type is not None and issued_type != requested_type:
        raise InvalidResponse("the token response has another type of token than requested")
    if requested_type is None and not issued.token.is_bearer:
        raise InvalidResponse("the token response has no bearer token")
    return issued


def error_code(reply: Reply) -> str | None:
    """Return the `error` of a reply, None if it has no error code (RFC 6749 §5.2)."""
    code = _error_members(reply).get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _credentials_refused(reply: Reply, code: str | None) -> CredentialsRefused:
    named = f"{reply.status} {code}" if code else str(reply.status)
    return CredentialsRefused(f"the token endpoint refuses this client: {named}")


def _error_members(reply: Reply) -> Mapping[str, Any]:
    try:
        return parse_json_document(reply.body)
    except ValueError:
        return {}


def _read(reply: Reply, asked_at: float, scope: str | None) -> Issued:
    refuse_if_busy(reply)
    if reply.status != 200:
        raise IntrospectionUnavailable(f"the token endpoint of {reply.host} answers {reply.status}")
    try:
        members = parse_json_document(reply.body)
    except ValueError as problem:
        raise InvalidResponse(f"the token response {problem}") from None
    value, token_type, granted = (members.get(name) for name in ("access_token", "token_type", "scope"))
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value or not value:
        raise InvalidResponse("the token response has no access token")
    if not isinstance(token_type, str) or token_type.lower() not in ("bearer", _NOT_FOR_BEARER.lower()):
        raise InvalidResponse("the token response has no bearer token")
    issued_type = members.get("issued_token_type")
    if issued_type is not None and not isinstance(issued_type, str):
        raise InvalidResponse("the token response has no valid issued_token_type")
    lifetime = _lifetime(members.get("expires_in"))
    expires_at = None if lifetime is None else datetime.fromtimestamp(asked_at + lifetime, UTC)
    granted_scope = granted if isinstance(granted, str) else scope
    return Issued(ObtainedToken(value, expires_at, granted_scope, token_type, issued_type), lifetime)


def _lifetime(value: Any) -> float | None:
    """Return `expires_in` in seconds; some servers write it as a string of digits."""
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise InvalidResponse("the token response has no positive expires_in")
    return float(min(value, _FARTHEST))
