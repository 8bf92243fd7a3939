"""A protected view, a request to it, and what its answer says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from django_introspection.authentication import IntrospectionAuthentication

TOKEN = "a-token-of-somebody-else"

_PARAMETER = r'[a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*"'
_CHALLENGE = re.compile(rf"(?P<scheme>[A-Za-z]+) (?P<parameters>{_PARAMETER}(, {_PARAMETER})*)")


def protect(**attributes: Any) -> Any:
    """Return a new view class; `ran` lists the requests that reached its handlers."""
    ran: list[Request] = []

    def run(self: APIView, request: Request) -> Response:
        ran.append(request)
        return Response({"user": str(request.user)})

    defaults = {"authentication_classes": [IntrospectionAuthentication], "permission_classes": [IsAuthenticated]}
    handlers = dict.fromkeys(("get", "post", "put", "delete"), run)
    return type("Orders", (APIView,), {"ran": ran, **defaults, **handlers, **attributes})


def ask(
    view: Any,
    token: str | None = None,
    *,
    method: str = "get",
    path: str = "/orders",
    data: Any = None,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    user: Any = None,
) -> Response:
    """Send one request and return the rendered answer; `user` is the one that a session middleware found."""
    sent = {"Authorization": f"Bearer {token}"} if token is not None else {}
    request = getattr(APIRequestFactory(), method)(path, data, headers={**sent, **(headers or {})})
    request.COOKIES.update(cookies or {})
    if user is not None:
        request.user = user
    response: Response = view.as_view()(request)
    response.render()
    return response


def challenge_of(response: Any) -> tuple[str, dict[str, str]]:
    """Read the one challenge of an answer as strictly as RFC 6750 §3 writes it; no parameter comes twice."""
    header = response["WWW-Authenticate"]
    match = _CHALLENGE.fullmatch(header)
    assert match, f"not a challenge: {header!r}"
    pairs = re.findall(r'([a-z_]+)="([^"]*)"', match["parameters"])
    parameters = dict(pairs)
    assert len(parameters) == len(pairs), f"a parameter comes twice: {header!r}"
    return match["scheme"], parameters


def error_of(response: Any) -> str | None:
    """Return the error code of the Bearer challenge, which has a realm always."""
    scheme, parameters = challenge_of(response)
    assert scheme == "Bearer"
    assert parameters["realm"]
    return parameters.get("error")


def assert_refused(response: Any, status: int, error: str | None) -> None:
    """Assert that an answer is a refusal in JSON with this error code in its challenge."""
    assert response.status_code == status
    assert error_of(response) == error
    assert response["Content-Type"] == "application/json"


def assert_unavailable(response: Any, view: Any) -> None:
    """Assert that the view did not run, and that the answer says nothing about the token."""
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response
    assert response["Content-Type"] == "application/json"
    assert b"Traceback" not in response.content
    assert view.ran == []
