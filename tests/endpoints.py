"""Requests to our endpoints as a client sends them."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus, urlencode

from django.http import HttpResponse
from django.test import Client as Browser

FORM = "application/x-www-form-urlencoded"


def basic(client_id: str, client_secret: str) -> str:
    """Return the value of a Basic header, both halves form-encoded (RFC 6749 §2.3.1)."""
    halves = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
    return f"Basic {base64.b64encode(halves).decode()}"


def post(
    path: str,
    form: Any = "",
    *,
    auth: tuple[Any, str] | str | None = None,
    content_type: str = FORM,
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """Send a form; `auth` is `(client, secret)` for Basic, or a whole `Authorization` value."""
    if isinstance(form, dict):
        form = urlencode(form, doseq=True)
    headers = dict(headers or {})
    if auth is not None:
        headers["Authorization"] = auth if isinstance(auth, str) else basic(auth[0].client_id, auth[1])
    return Browser().post(path, form, content_type=content_type, headers=headers)


def introspect(token: str, **kwargs: Any) -> HttpResponse:
    """Ask about a token."""
    return post("/oauth/introspect", {"token": token}, **kwargs)
