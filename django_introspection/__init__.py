"""OAuth 2.0 token introspection for Django (RFC 7662): the authorization server's side and the resource server's."""

from __future__ import annotations

from .backends.registry import token_backends
from .protocol.error_reports import conceal_locals
from .protocol.token_info import TokenInfo

__all__ = ["TokenInfo", "aintrospect", "introspect", "token_backends"]
__version__ = "0.1.0.dev0"


@conceal_locals
def introspect(token: str, *, using: str = "default", address: str | None = None) -> TokenInfo | None:
    """Return the meaning of an access token, None if this resource server rejects it.

    The same judgement as a view with IntrospectionAuthentication: kind, binding, times, issuer and audience included.
    `address` is the IP address from which the token was sent: a token that is limited to networks (`allowed_networks`)
    is rejected without it.
    Raises IntrospectionUnavailable if it is unknown whether the token is active.
    """
    from .resource_server.acceptance import validate

    answer = validate(token, using, address=address)
    return answer.info if answer else None


@conceal_locals
async def aintrospect(token: str, *, using: str = "default", address: str | None = None) -> TokenInfo | None:
    """Return like `introspect`, without blocking the event loop."""
    from .resource_server.acceptance import avalidate

    answer = await avalidate(token, using, address=address)
    return answer.info if answer else None
