"""Calls of the orders API with the token of the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from . import problems


@dataclass(frozen=True)
class Call:
    """A call and its answer, without the token."""

    name: str
    status: int
    reason: str
    challenge: str
    body: Any

    @property
    def allowed(self) -> bool:
        return self.status < httpx2.codes.BAD_REQUEST


def about(token: str) -> dict[str, Any]:
    """Ask what the API knows about the token."""
    return dict(_call("GET", "/api/token", token).body)


def read(token: str) -> Call:
    return _call("GET", "/api/orders/", token)


def write(token: str) -> Call:
    return _call("POST", "/api/orders/", token, json={"item": "Tea", "quantity": 2})


@sensitive_variables()
def _call(method: str, path: str, token: str, **request: Any) -> Call:
    """Call the API; raises Problem where it does not answer, cannot find out, or does not take the token at all."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        response = httpx2.request(
            method, f"{settings.RESOURCE_SERVER}{path}", headers=headers, trust_env=False, timeout=10, **request
        )
        status, reason, body = response.status_code, response.reason_phrase, response.json()
    except (httpx2.TransportError, ValueError):
        raise problems.api_down() from None
    challenge, name = response.headers.get("WWW-Authenticate", ""), f"{method} {path}"
    if status == httpx2.codes.UNAUTHORIZED:
        raise problems.token_refused(f"{name} → {status} {reason}\nWWW-Authenticate: {challenge}")
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        retry_after = response.headers.get("Retry-After", "not said")
        raise problems.api_cannot_find_out(f"{name} → {status} {reason}\nRetry-After: {retry_after}")
    if response.is_server_error:
        raise problems.api_down()
    return Call(name, status, reason, challenge, body)
