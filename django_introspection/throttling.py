"""Throttling of DRF views by the client of an access token."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, ClassVar

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from .protocol.principal import is_client
from .protocol.token_info import TokenInfo
from .resource_server.protection import issuer_of

if TYPE_CHECKING:  # DRF imports the default authentication while it makes APIView
    from rest_framework.views import APIView

__all__ = ["ClientRateThrottle"]


class ClientRateThrottle(SimpleRateThrottle):
    """Limit the requests of a client, from all addresses together.

    Requests are counted by issuer and client, in the scope "client" of DEFAULT_THROTTLE_RATES. The issuer is that of
    the backend that answered. Only clients that act for themselves are counted, unless `user_tokens` is True. A request
    without a token is left to other throttles.
    """

    scope = "client"
    user_tokens: ClassVar[bool] = False

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        """Return the key of the client, None if the request is not counted."""
        info = request.auth
        if not isinstance(info, TokenInfo) or not (self.user_tokens or _is_no_person(info)):
            return None
        issuer = issuer_of(request._request, info)
        kind, name = ("client_id", info.client_id) if info.client_id else ("user", str(request.user.pk))
        ident = hashlib.sha256(json.dumps([issuer, kind, name]).encode()).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


def _is_no_person(info: TokenInfo) -> bool:
    return is_client(info) or not (info.sub or info.username)
