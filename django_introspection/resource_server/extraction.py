"""The token of a request (RFC 6750 §2): from the `Authorization` header, and from a form if the view says so."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import parse_qsl

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, UnreadablePostError

from ..protocol.presented import BEARER, SCHEMES, SentToken

HEADER, BODY = "header", "body"
BEARER_METHODS = (HEADER, BODY)
"""Ways to send a token, as RFC 9728 §2 names them; the query is not among them (RFC 9700 §4.3.2)."""
FORM_TYPE = "application/x-www-form-urlencoded"
_IN_ONE_WAY = "The token must be sent in one way only."
_SCHEMES = {scheme.lower(): scheme for scheme in SCHEMES}
_METHODS_WITH_A_FORM = ("POST", "PUT", "PATCH")
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class MalformedRequest(Exception):
    """The request itself is malformed (RFC 6750 §3.1 invalid_request)."""


class MalformedToken(Exception):
    """The value cannot be a token (RFC 6750 §3.1 invalid_token)."""


def sent_token(request: HttpRequest, methods: Collection[str], schemes: Collection[str]) -> SentToken | None:
    """Return the token of a request, None if it has none in these ways and by these schemes.

    Raises MalformedRequest for a header without one token or for a second token in another way, and MalformedToken
    for characters that no token has (RFC 6750 §2). A body is read only if `methods` has "body", and its token is a
    bearer token.
    """
    used, _, sent = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    scheme, in_header = _SCHEMES.get(used.lower()), None
    if scheme in schemes:
        in_header = sent.strip(" ")
        if not in_header or " " in in_header:
            raise MalformedRequest("The Authorization header must have one token.")
    in_body = _in_body(request) if BODY in methods and BEARER in schemes else None
    if in_header is None and in_body is None:
        return None
    if in_header is not None and in_body is not None:
        raise MalformedRequest(_IN_ONE_WAY)
    if "access_token=" in request.META.get("QUERY_STRING", "") and _is_in_query(request):
        raise MalformedRequest(_IN_ONE_WAY)
    token = in_header if in_header is not None else in_body
    if token is None or not _B64TOKEN.fullmatch(token):
        raise MalformedToken("The access token is malformed.")
    return SentToken(token, scheme if scheme and in_header is not None else BEARER)


def header_scheme(request: HttpRequest, schemes: Collection[str]) -> str | None:
    """Return the scheme of the `Authorization` header, None if it is not one of these (RFC 9110 §11.1)."""
    used = _SCHEMES.get(request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower())
    return used if used in schemes else None


def _is_in_query(request: HttpRequest) -> bool:
    try:
        return "access_token" in request.GET
    except TooManyFieldsSent:  # Django would mail the URL, with the token, to ADMINS
        raise MalformedRequest("The query has too many parameters.") from None


def _in_body(request: HttpRequest) -> str | None:
    """Return the token of a form in ASCII, None if the body is anything else (RFC 6750 §2.2)."""
    if request.content_type != FORM_TYPE or request.method not in _METHODS_WITH_A_FORM:
        return None
    try:
        body = request.body
    except (RequestDataTooBig, UnreadablePostError):
        raise MalformedRequest("The body cannot be read.") from None
    if not body.isascii():
        return None
    tokens = [value for name, value in parse_qsl(body.decode(), keep_blank_values=True) if name == "access_token"]
    vars(request).setdefault("sensitive_post_parameters", ["access_token"])  # for Django's error reports
    if len(tokens) > 1 or tokens == [""]:
        raise MalformedRequest("The form must have one token.")
    return tokens[0] if tokens else None
