"""The token endpoint (RFC 6749 §3.2)."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from ...backends.database import token_type
from ..clients import authenticate_client
from ..grants import grant_tokens
from .base import ProtocolView, json_response


class TokenView(ProtocolView):
    """Give a client tokens for what it presents."""

    repeatable = ("resource",)

    def post(self, request: Request) -> HttpResponse:
        """Answer a token request."""
        form = self.form()
        issued = grant_tokens(authenticate_client(self.http_request, form), form)
        members = {
            "access_token": issued.access_token,
            "token_type": token_type(issued.token),
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
            "scope": issued.scope,
        }
        return json_response({name: value for name, value in members.items() if value})
