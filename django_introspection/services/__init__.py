"""Tokens for the APIs that this project calls: its own, and those it exchanges for the token of a request."""

from __future__ import annotations

from ..protocol.error_reports import conceal_locals
from ..protocol.obtained_token import ObtainedToken
from ..protocol.presented import Presented
from .registry import services

__all__ = ["ObtainedToken", "aexchange_token", "aservice_token", "exchange_token", "service_token"]


@conceal_locals
def service_token(alias: str, *, other_than: ObtainedToken | None = None) -> ObtainedToken:
    """Return this project's own access token for an entry of SERVICES (RFC 6749 §4.4).

    The token is fetched once per process, kept, and renewed before it ends. `other_than` is one that the API has
    refused: another one is fetched, once a minute at most. Raises IntrospectionUnavailable if there is none to be had
    within the timeout, and InvalidSetting.
    """
    return services.own(alias).get(other_than)


@conceal_locals
async def aservice_token(alias: str, *, other_than: ObtainedToken | None = None) -> ObtainedToken:
    """Return like `service_token`, without blocking the event loop."""
    return await services.own(alias).aget(other_than)


@conceal_locals
def exchange_token(
    alias: str, token: str, *, scope: str | None = None, other_than: ObtainedToken | None = None
) -> ObtainedToken:
    """Exchange a token, such as that of a request, for a token of an entry of SERVICES (RFC 8693).

    `scope` replaces the scope of the entry. `other_than` is a token that the API has refused, so that a kept one is not
    returned again. Raises ExchangeRefused if the authorization server rejects the request, IntrospectionUnavailable if
    it cannot be asked within the timeout or refuses this project's credentials, and InvalidSetting.
    """
    return services.exchange(alias).exchange(Presented(token), scope, other_than)


@conceal_locals
async def aexchange_token(
    alias: str, token: str, *, scope: str | None = None, other_than: ObtainedToken | None = None
) -> ObtainedToken:
    """Exchange like `exchange_token`, without blocking the event loop."""
    return await services.exchange(alias).aexchange(Presented(token), scope, other_than)
