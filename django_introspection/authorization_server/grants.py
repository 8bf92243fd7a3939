"""Token requests: what a client gets for its own credentials (RFC 6749 §4.4, RFC 8707 §2)."""

from __future__ import annotations

import logging

from ..conf import introspection_settings
from ..models import AccessTokenFormat, Client, GrantType
from ..protocol.errors import (
    InvalidScope,
    InvalidTarget,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from ..protocol.form import Form
from ..protocol.identifiers import resource_problem
from ..protocol.scope import format_scope, parse_scope
from .clients import INTROSPECTION_SCOPE
from .issuing import IssuedToken, issue
from .self_contained import is_possible

logger = logging.getLogger("django_introspection")


def grant_tokens(client: Client, form: Form) -> IssuedToken:
    """Answer a token request of an authenticated client; raises OAuthError."""
    grant_type = form.require("grant_type")
    if grant_type not in GrantType.values:
        raise UnsupportedGrantType("This grant type is not supported.")
    if grant_type not in client.grant_types:
        raise UnauthorizedClient("This client may not use this grant type.")
    scope = _scope(client, form.get("scope"))
    audience = _audience(client, scope, form.all("resource"))
    if client.access_token_format == AccessTokenFormat.JWT:
        _check_self_contained(audience)
    return issue(client=client, scope=format_scope(scope), audience=audience)


def _check_self_contained(audience: list[str]) -> None:
    if not is_possible():
        logger.error("no JWT access token can be made: ISSUER or KEYS is not set")
        raise TemporarilyUnavailable("The server cannot make this token at the moment.")
    if not audience:
        raise InvalidTarget("Name the resource that the token is for.")


def _scope(client: Client, requested: str | None) -> tuple[str, ...]:
    """Return the scope to grant: what was asked, else all that the client may have but `introspection`."""
    allowed = parse_scope(client.scope)
    if requested is None:
        return tuple(token for token in allowed if token != INTROSPECTION_SCOPE) or allowed
    try:
        scope = parse_scope(requested)
    except ValueError:
        raise InvalidScope("The scope is malformed.") from None
    if not set(allowed).issuperset(scope):
        raise InvalidScope("The scope is more than this client may have.")
    return scope


def _audience(client: Client, scope: tuple[str, ...], requested: list[str]) -> list[str]:
    """Return the resources that the token is for.

    The scope `introspection` means something to this server alone, so its token is for the issuer and nothing
    else (RFC 9068 §3: no ambiguous grants).
    """
    if INTROSPECTION_SCOPE in scope:
        return _issuer_audience(scope, requested)
    if any(resource_problem(resource) for resource in requested):
        raise InvalidTarget("A resource is an absolute URI without fragment.")
    if not set(client.allowed_resources).issuperset(requested):
        raise InvalidTarget("This client may not ask for this resource.")
    if requested or len(client.allowed_resources) <= 1:
        return list(dict.fromkeys(requested)) or list(client.allowed_resources)
    raise InvalidTarget("Name the resource that the token is for.")


def _issuer_audience(scope: tuple[str, ...], requested: list[str]) -> list[str]:
    issuer = introspection_settings.ISSUER
    if issuer is None:
        raise InvalidScope("This server has no issuer identifier, so it takes no access tokens itself.")
    if len(scope) > 1:
        raise InvalidScope(f"The scope {INTROSPECTION_SCOPE} is asked for alone.")
    if any(resource != issuer for resource in requested):
        raise InvalidTarget(f"A token with the scope {INTROSPECTION_SCOPE} is for this server alone.")
    return [issuer]
