"""Types of requests for mypy and pyright: the attributes of a protected view that the stubs of Django do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from rest_framework.request import Request

from .protocol.token_info import TokenInfo

__all__ = ["AuthenticatedHttpRequest", "AuthenticatedRequest", "TokenInfoMixin"]

if TYPE_CHECKING:

    class AuthenticatedHttpRequest(HttpRequest):
        """The request of a plain Django view behind `token_required` or `ProtectedPaths`."""

        token_info: TokenInfo
        user: Any

    class AuthenticatedRequest(Request):
        """The request of a view of Django REST framework that IntrospectionAuthentication alone lets in."""

        auth: TokenInfo
        user: Any

else:
    AuthenticatedHttpRequest, AuthenticatedRequest = HttpRequest, Request


class TokenInfoMixin:
    """Give a class-based view, of Django or of Django REST framework, the property `token_info`."""

    request: Any

    @property
    def token_info(self) -> TokenInfo:
        """The TokenInfo of this request; raises LookupError if it was not authenticated by a token."""
        for name in ("auth", "token_info"):
            info = getattr(self.request, name, None)
            if isinstance(info, TokenInfo):
                return info
        raise LookupError("the request was not authenticated by an access token")
