"""Answers of the introspection endpoint that this server signs (RFC 9701): imported when a client wants one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

from ..conf import introspection_settings
from ..jose import SigningKey
from ..keys import signing_key
from ..models import Client
from ..protocol.accept import preferred
from ..protocol.errors import TemporarilyUnavailable
from ..protocol.signed_answer import ANSWER_TYPE, MEDIA_TYPE, answer_claims
from .views.base import NOT_STORED

logger = logging.getLogger("django_introspection")

_JSON = "application/json"


def key_for(caller: Client, accept: str) -> SigningKey | None:
    """Return the key that signs the answer to a request, None if the answer is JSON.

    A caller with a registered algorithm gets no JSON unless it prefers that, and never if its answers are encrypted.
    Raises TemporarilyUnavailable if no key is for that algorithm. Any other caller gets JSON from a server that cannot
    sign, because a server may disregard `Accept` (RFC 9110 §12.5.1).
    """
    registered, encrypted = caller.introspection_signed_response_alg, caller.introspection_encrypted_response_alg
    choices = (MEDIA_TYPE, _JSON) if registered else (_JSON, MEDIA_TYPE)
    if not encrypted and preferred(accept, *choices) == _JSON:
        return None
    key = signing_key(registered)
    if key is None and (registered or encrypted):
        raise _unavailable(caller, f"be signed: ISSUER or a key for {registered or 'any algorithm'} is not set")
    return key


def signed_response(members: Mapping[str, Any], caller: Client, key: SigningKey) -> HttpResponse:
    """Return the answer with these members as a JWT for one caller (RFC 9701 §5).

    If the caller has registered an algorithm, the JWT is encrypted for it. Raises TemporarilyUnavailable if the caller
    has no key for it.
    """
    issuer = introspection_settings.ISSUER or ""
    claims = answer_claims(members, issuer=issuer, audience=caller.client_id, now=int(time.time()))
    answer = key.sign_jwt(ANSWER_TYPE, claims)
    if caller.introspection_encrypted_response_alg:
        answer = _encrypted(answer, caller)
    return HttpResponse(answer, content_type=MEDIA_TYPE, headers=NOT_STORED)


def _encrypted(answer: str, caller: Client) -> str:
    from ..jwe import encryption_key

    algorithm = caller.introspection_encrypted_response_alg
    key = encryption_key(caller.jwks, algorithm)
    if key is None:
        raise _unavailable(caller, f"be encrypted: the client has no key for {algorithm}")
    return key.encrypt(answer, algorithm, caller.introspection_encrypted_response_enc)


def _unavailable(caller: Client, problem: str) -> TemporarilyUnavailable:
    logger.error("no answer to %s can %s", caller.client_id, problem)
    return TemporarilyUnavailable("The server cannot sign or encrypt this response at the moment.")
