"""The token of a request (RFC 6750 §2): from the `Authorization` header and nowhere else."""

from __future__ import annotations

import re

from django.http import HttpRequest

SCHEME = "Bearer"
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class MalformedRequest(Exception):
    """The request itself is wrong, whatever the token (RFC 6750 §3.1 invalid_request)."""


class MalformedToken(Exception):
    """What was sent cannot be a token (RFC 6750 §3.1 invalid_token)."""


def bearer_token(request: HttpRequest) -> str | None:
    """Return the bearer token of a request, None where it has no Bearer credentials.

    Raises MalformedRequest for a header without one token or a second token in the query, and MalformedToken for
    characters that no token has (RFC 6750 §2.1).
    """
    authorization: str = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != SCHEME.lower():
        return None
    token = value.strip(" ")
    if not token or " " in token:
        raise MalformedRequest("The Authorization header must hold one token.")
    if "access_token=" in request.META.get("QUERY_STRING", "") and "access_token" in request.GET:
        raise MalformedRequest("The token must be sent in one way only.")
    if not _B64TOKEN.fullmatch(token):
        raise MalformedToken("The access token is malformed.")
    return token
