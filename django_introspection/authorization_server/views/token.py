"""The token endpoint (RFC 6749 §3.2)."""

from __future__ import annotations

from functools import partial

from django.db import router, transaction
from django.http import HttpRequest, HttpResponse

from ...backends.database import token_type
from ...models import Token
from ...protocol.authorization_details import MEMBER
from ..binding import confirmation
from ..clients import authenticate_client
from ..deferred_work import defer_until_sent
from ..grants import grant_tokens
from ..rotation import ReusedRefreshToken, ReusedWithoutCache, end_grant_again
from .base import ProtocolView, json_response


class TokenView(ProtocolView):
    """Issue tokens for the grant that a client presents."""

    repeatable = ("resource", "audience")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer a token request."""
        form = self.form()
        client = authenticate_client(request, form)
        try:
            issued = grant_tokens(client, form, confirmation(request, client))
        except (ReusedRefreshToken, ReusedWithoutCache) as reuse:
            if transaction.get_connection(router.db_for_write(Token)).in_atomic_block:  # one around the request
                defer_until_sent(request, partial(end_grant_again, reuse.grant_id, client))
            raise
        members = {
            "access_token": issued.access_token,
            "issued_token_type": issued.issued_token_type,
            "token_type": token_type(issued.token),
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
            "scope": issued.scope,
            MEMBER: issued.token.members.get(MEMBER),
        }
        return json_response({name: value for name, value in members.items() if value})
