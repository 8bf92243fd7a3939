"""Throttling of DRF views by the client of an access token."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from .protocol.token_info import TokenInfo
from .resource_server.users import is_client

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

__all__ = ["ClientRateThrottle"]


class ClientRateThrottle(SimpleRateThrottle):
    """Limit how often a client may ask, whatever addresses it comes from.

    Counts tokens by issuer and client, in the scope "client" of DEFAULT_THROTTLE_RATES. Only what clients ask for
    themselves counts, unless `user_tokens` is True. A request without a token is left to other throttles.
    """

    scope = "client"
    user_tokens: ClassVar[bool] = False

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return the key of the client, None where the request is not counted."""
        info = request.auth
        if not isinstance(info, TokenInfo) or not (self.user_tokens or is_client(info)):
            return None
        issuer = info.iss or str(getattr(request.successful_authenticator, "backend", ""))
        client = info.client_id or info.sub or ""
        ident = hashlib.sha256(f"{len(issuer)}:{issuer}{client}".encode()).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}
