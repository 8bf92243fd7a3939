"""A protected view and a request to it, as a row describes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode

from django.test import RequestFactory
from rest_framework.permissions import IsAuthenticated

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import requires_claim, requires_scope
from django_introspection.testing.challenges import parse_challenges
from tests import endpoints
from tests.resource_server.protected import protect

VIEW = frozenset({"scope", "either_scope", "claim", "bearer_methods", "schemes", "realm", "open"})
REQUEST = frozenset({"authorization", "method", "path", "form", "content_type", "headers", "times"})


def ask(given: Mapping[str, Any], token: str) -> tuple[str, dict[str, Any]]:
    """Send the request of a row, as often as it says; return the last outcome, and the facts about the answer.

    Without `authorization` the token is sent by the scheme Bearer. `form` is a list of pairs.
    """
    view = _view(given)
    for _ in range(given.get("times", 1)):
        response = view.as_view()(_request(given, token))
        response.render()
    return outcome_of(response), _facts(view, response)


def outcome_of(response: Any) -> str:
    """Return the outcome of a view or an endpoint as rows write it."""
    if response.status_code == 503:
        assert response["Retry-After"]
        return "unavailable"
    error = None
    if "WWW-Authenticate" in response:
        error = parse_challenges(response["WWW-Authenticate"])[0].parameters.get("error")
    if error is None and response["Content-Type"] == "application/json" and response.content:
        error = response.json().get("error") if hasattr(response, "json") else None
    return f"{response.status_code} {error or ''}".strip()


def _view(given: Mapping[str, Any]) -> Any:
    names = ("bearer_methods", "schemes", "realm")
    attributes = {name: given[name] for name in names if name in given}
    authenticator = type("Authentication", (IntrospectionAuthentication,), attributes)
    permissions = [] if given.get("open") else [IsAuthenticated]
    if "scope" in given:
        permissions = [requires_scope(*given["scope"].split())]
    if "either_scope" in given:
        permissions = [reduce(or_, map(requires_scope, given["either_scope"]))]
    if "claim" in given:
        permissions.append(requires_claim(*given["claim"]))
    return protect(authentication_classes=[authenticator], permission_classes=permissions)


def _request(given: Mapping[str, Any], token: str) -> Any:
    """Return one request; an empty `authorization` is none."""
    authorization = given.get("authorization", "Bearer {token}").replace("{token}", token)
    headers = {**({"Authorization": authorization} if authorization else {}), **given.get("headers", {})}
    body = urlencode([(name, value.replace("{token}", token)) for name, value in given.get("form", [])])
    return RequestFactory().generic(
        given.get("method", "GET"),
        given.get("path", "/orders").replace("{token}", token),
        body,
        content_type=given.get("content_type", endpoints.FORM if body else ""),
        headers=headers,
    )


def _facts(view: Any, response: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"headers": dict(response.items())}
    if "WWW-Authenticate" in response:
        challenges = parse_challenges(response["WWW-Authenticate"])
        facts |= {"schemes": [each.scheme for each in challenges]}
        facts |= {name: value for name, value in challenges[0].parameters.items() if name != "error"}
    if view.ran:
        info, user = view.ran[-1].auth, view.ran[-1].user
        facts |= {"user": str(user), "runs": len(view.ran)}
        facts |= {"scopes": sorted(info.scopes), "members": info.to_dict()} if info else {}
    return facts
