"""The introspection endpoint (RFC 7662 §2)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...models import Token
from ...protocol.challenge import BASIC, BEARER
from ...protocol.introspection import render_response
from ...signals import token_introspected
from .. import read_along, throttles
from ..answering import answer_for_caller
from ..clients import authenticate_caller
from .base import ProtocolView, json_response


class IntrospectView(ProtocolView):
    """Answer what a token means to an authenticated caller."""

    challenges = (BASIC, BEARER)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 whatever the token is: an inactive one is no error (RFC 7662 §2.2)."""
        form = self.form()
        read_along.offer(request, form.get("token"))
        caller = authenticate_caller(request, form)
        answer = answer_for_caller(form.require("token"), caller, read_along.looked_up(request))
        token_introspected.send_robust(Token, answer=answer.full, caller=caller)
        if not answer.full:
            throttles.count_inactive(caller)
        return json_response(render_response(answer.sent))
