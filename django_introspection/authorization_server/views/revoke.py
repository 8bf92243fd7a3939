"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...backends.database import find
from ...protocol.errors import InvalidGrant
from ..clients import authenticate_client
from ..revoking import revoke_token
from .base import ProtocolView


class RevokeView(ProtocolView):
    """Revoke a token of the client that asks."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 if the token is revoked now, and also if it was already inactive or unknown (RFC 7009 §2.2)."""
        form = self.form()
        client = authenticate_client(request, form)
        token = find(form.require("token"))
        if token is not None and token.client_id != client.pk:
            raise InvalidGrant("The token was not issued to this client.")
        if token is not None:
            revoke_token(token, by=client)
        return HttpResponse(headers={"Cache-Control": "no-store"})
