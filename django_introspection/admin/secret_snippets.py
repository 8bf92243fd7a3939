"""Text to paste into the configuration of a new client. The page fills the secret in when it is copied."""

from __future__ import annotations

from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from ..authorization_server.purposes import purpose_of
from ..conf import introspection_settings
from ..models import AuthMethod, Client
from ..protocol.identifiers import on_host_of

SECRET = "the-secret-shown-above"
"""The placeholder of the secret in a snippet."""


class Snippet(NamedTuple):
    """A text to copy, with its title."""

    title: Any
    text: str


def snippets(client: Client, request: HttpRequest) -> list[Snippet]:
    """Return what a client of this purpose needs, with URLs of ISSUER, or of this server if it is not set."""
    purpose = purpose_of(client)
    made = [Snippet(_("Environment variables"), _environment(client))]
    if purpose is None or purpose.serves:
        url = _endpoint("introspect", request)
        made.append(Snippet(_("settings.py of a Django resource server"), _settings(client, url)))
        made.append(Snippet(_("Introspect a token with curl"), _curl(client, url, ['token="$TOKEN"'])))
    if purpose and purpose.asks:
        form = ["grant_type=client_credentials"]
        form += [f"scope={quote(client.scope)}"] if client.scope else []
        form += [f"resource={quote(resource)}" for resource in client.allowed_resources[:1]]
        made.append(Snippet(_("Get a token with curl"), _curl(client, _endpoint("token", request), form)))
    return made


def _endpoint(name: str, request: HttpRequest) -> str:
    try:
        path = reverse(f"introspection:{name}")
    except NoReverseMatch:  # the endpoints are served by another project
        path = f"/oauth/{name}"
    issuer = introspection_settings.ISSUER
    return on_host_of(issuer, path) if issuer else request.build_absolute_uri(path)


def _environment(client: Client) -> str:
    return f"INTROSPECTION_CLIENT_ID={quote(client.client_id)}\nINTROSPECTION_CLIENT_SECRET={SECRET}\n"


def _settings(client: Client, url: str) -> str:
    options = [
        f'"introspection_url": {_literal(url)},',
        '"client_id": os.environ["INTROSPECTION_CLIENT_ID"],',
        '"client_secret": os.environ["INTROSPECTION_CLIENT_SECRET"],',
    ]
    if client.token_endpoint_auth_method != AuthMethod.BASIC:
        options.append(f'"auth_method": "{client.token_endpoint_auth_method}",')
    if client.resources:
        audience = [_literal(resource) for resource in client.resources]
        options.append(f'"audience": {audience[0] if len(audience) == 1 else "[" + ", ".join(audience) + "]"},')
    lines = "".join(f"                {option}\n" for option in options)
    return (
        "import os\n\n"
        "TOKEN_INTROSPECTION = {\n"
        '    "BACKENDS": {\n'
        '        "default": {\n'
        '            "BACKEND": "django_introspection.backends.RemoteBackend",\n'
        '            "OPTIONS": {\n'
        f"{lines}"
        "            },\n"
        "        },\n"
        "    },\n"
        "}\n"
    )


def _literal(text: str) -> str:
    """Write a URI in double quotes; it has no character that Python would have to escape but the backslash."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _curl(client: Client, url: str, form: list[str]) -> str:
    """Write a call; both halves of Basic are form-encoded (RFC 6749 §2.3.1), which a secret of ours is anyway."""
    if client.token_endpoint_auth_method == AuthMethod.POST:
        who = [
            f"--data-urlencode client_id={quote(client.client_id)}",
            '--data-urlencode client_secret="$INTROSPECTION_CLIENT_SECRET"',
        ]
    else:
        who = [f'--user {quote(quote_plus(client.client_id))}:"$INTROSPECTION_CLIENT_SECRET"']
    parts = [*who, *(f"--data-urlencode {item}" for item in form), quote(url)]
    return "curl " + " \\\n  ".join(parts) + "\n"
