"""The introspection endpoint (RFC 7662 §2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse

from ...conf import introspection_settings
from ...models import Client, Token
from ...protocol.challenge import BASIC, BEARER
from ...protocol.errors import MissingCredentials
from ...protocol.form import Form
from ...protocol.introspection import render_response
from ...protocol.signed_answer import ANSWER_TYPE
from ...signals import token_introspected
from .. import read_along, throttles
from ..answering import answer_for_caller
from ..clients import authenticate_caller
from .base import ProtocolView, json_response

Renderer = Callable[[Mapping[str, Any]], HttpResponse]


class IntrospectView(ProtocolView):
    """Answer what a token means to an authenticated caller, in JSON or as a JWT that this server signs (RFC 9701)."""

    challenges = (BASIC, BEARER)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 whatever the token is: an inactive one is no error (RFC 7662 §2.2)."""
        form = self.form()
        read_along.offer(request, form.get("token"))
        caller = self._caller(request, form)
        render = _renderer(request, caller)
        answer = answer_for_caller(form.require("token"), caller, read_along.looked_up(request))
        token_introspected.send_robust(Token, answer=answer.full, caller=caller)
        if not answer.full:
            throttles.count_inactive(caller)
        response = render(render_response(answer.sent))
        if introspection_settings.SIGNING_KEYS:
            response["Vary"] = "Accept"
        return response

    def _caller(self, request: HttpRequest, form: Form) -> Client:
        """Return the caller; a request for a JWT without credentials is 400 (RFC 9701 §5)."""
        try:
            return authenticate_caller(request, form)
        except MissingCredentials as missing:
            if introspection_settings.SIGNING_KEYS and _names_jwt(request):
                missing.status = 400
            raise


def _renderer(request: HttpRequest, caller: Client) -> Renderer:
    """Return the function that makes the response of its members; raises TemporarilyUnavailable."""
    registered = caller.introspection_signed_response_alg or caller.introspection_encrypted_response_alg
    if not registered and not _names_jwt(request):
        return json_response
    from ..signed_answers import key_for, signed_response

    key = key_for(caller, request.META.get("HTTP_ACCEPT", ""))
    return json_response if key is None else partial(signed_response, caller=caller, key=key)


def _names_jwt(request: HttpRequest) -> bool:
    """Return whether a request names the media type of a JWT; only then is the header read to its end."""
    return ANSWER_TYPE in request.META.get("HTTP_ACCEPT", "").lower()
