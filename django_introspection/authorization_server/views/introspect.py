"""The introspection endpoint (RFC 7662 §2)."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables
from rest_framework.request import Request

from ...backends.database import answer_for_token
from ...backends.registry import token_backends
from ...conf import introspection_settings
from ...models import IntrospectionPolicy, Token
from ...protocol.answer import Answer
from ...protocol.challenge import BASIC, BEARER
from ...protocol.errors import UnauthorizedClient
from ...protocol.introspection import render_response
from ...signals import token_introspected
from .. import policy, throttles
from ..clients import authenticate_caller
from .base import ProtocolView, json_response


class IntrospectView(ProtocolView):
    """Say what a token means to the caller who asks."""

    challenges = (BASIC, BEARER)

    def post(self, request: Request) -> HttpResponse:
        """Answer an authenticated caller; a token that is not good is no error."""
        form = self.form()
        caller = authenticate_caller(self.http_request, form)
        if caller.introspection_policy == IntrospectionPolicy.NONE:
            raise UnauthorizedClient("This client may not introspect tokens.", status=403)
        answer = policy.visible_answer(_ask(form.require("token")), caller)
        told = policy.filter_members(answer, caller)
        token_introspected.send_robust(Token, answer=answer, caller=caller)
        if not answer:
            throttles.count_inactive(caller)
        return json_response(render_response(told))


@sensitive_variables("token")
def _ask(token: str) -> Answer:
    alias = introspection_settings.INTROSPECTION_BACKEND
    return answer_for_token(token) if alias is None else token_backends[alias].introspect(token)
