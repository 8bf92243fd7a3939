"""Send the same requests to every endpoint and print the answers: run under two settings and compared.

Time stands still and every value is given, so that the same answers are the same bytes.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import time_machine

SECRET = "a-provisioned-secret-of-enough-characters"
ACCESS_TOKEN = "an-access-token-made-elsewhere"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def main() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    client, token = _prepare()
    print(json.dumps([_answer(*request) for request in _requests((client, SECRET), token)]))


def _prepare() -> tuple[Any, Any]:
    from django_introspection.models import Client, Token
    from django_introspection.protocol.opaque import digest

    client, _ = Client.objects.register(
        client_id="probe",
        client_name="Probe",
        client_secret=SECRET,
        grant_types=["client_credentials"],
        scope="orders:read introspection",
    )
    token = Token.objects.create(
        id=uuid.UUID(int=1),
        kind="access",
        digest=digest(ACCESS_TOKEN),
        client=client,
        scope="orders:read",
        expires_at=NOW + timedelta(hours=1),
    )
    return client, token


def _requests(auth: Any, token: Any) -> list[tuple[Any, ...]]:
    about = {"token": ACCESS_TOKEN}
    return [
        ("POST", "/oauth/introspect", about, auth),
        ("POST", "/oauth/introspect?format=html&token=x&version=9", about, auth),
        ("POST", "/oauth/introspect", {"token": "unknown"}, auth),
        ("POST", "/oauth/introspect", {}, auth),
        ("POST", "/oauth/introspect", about, None),
        ("POST", "/oauth/introspect", about, "Bearer nonsense"),
        ("POST", "/oauth/token", {"grant_type": "client_credentials"}, auth),
        ("POST", "/oauth/token", {"grant_type": "password"}, auth),
        ("POST", "/oauth/token", {"grant_type": "client_credentials"}, ("probe", "wrong")),
        ("GET", "/oauth/token", {}, auth),
        ("OPTIONS", "/oauth/introspect", {}, auth),
        ("DELETE", "/oauth/revoke", {}, auth),
        ("GET", "/.well-known/oauth-authorization-server", {}, None),
        ("GET", "/.well-known/oauth-authorization-server/elsewhere", {}, None),
        ("HEAD", "/.well-known/oauth-authorization-server", {}, None),
        ("POST", "/oauth/revoke", about, auth),
        ("POST", "/oauth/introspect", about, auth),
    ]


def _answer(method: str, path: str, form: dict[str, str], auth: Any) -> list[Any]:
    from urllib.parse import urlencode

    from django.test import Client as Browser

    from tests.endpoints import FORM, basic

    headers = {"Accept": "text/html"}
    if auth:
        client_id = getattr(auth[0], "client_id", auth[0])
        headers["Authorization"] = auth if isinstance(auth, str) else basic(client_id, auth[1])
    response = Browser().generic(method, path, urlencode(form), content_type=FORM, headers=headers)
    body = re.sub(r"dit_at_\w+", "(a new token)", response.content.decode())
    return [method, path, response.status_code, sorted(response.headers.items()), body]


if __name__ == "__main__":
    with time_machine.travel(NOW, tick=False):
        main()
