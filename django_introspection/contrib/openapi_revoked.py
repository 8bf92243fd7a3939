"""Descriptions of the endpoints about tokens that ended or must end: reports of leaks, alerts, the feed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from .openapi_parts import (
    ERROR,
    HEADERS,
    SECONDS,
    STRING,
    STRINGS,
    ClientSecret,
    Endpoint,
    IntrospectionToken,
    errors,
    form,
    members,
    open_form,
    text,
    view,
)


def _sent(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True, description=description)


class LeakedEndpoint(Endpoint):
    """Describe the endpoint that ends leaked credentials."""

    target_class = view("leaks.views.LeakedView")
    authenticators = ()
    operation = {
        "summary": "End leaked credentials",
        "description": "End each of these tokens and client secrets. Whoever holds one may end it.",
        "parameters": HEADERS,
        "request": open_form(
            ["token"],
            token={
                "type": "array",
                "items": {**STRING, "format": "password"},
                "minItems": 1,
                "maxItems": 100,
                "description": "A token or a client secret; the form has 100 parameters at most.",
            },
        ),
        "responses": {
            200: OpenApiResponse(None, "The credentials are not valid, or not valid any more."),
            **errors(400, 413, 415, 429, 503),
        },
    }


class AlertsEndpoint(Endpoint):
    """Describe the endpoint for the alerts of a secret scanner."""

    target_class = view("leaks.views.AlertsView")
    authenticators = ()
    operation = {
        "summary": "Receive alerts of a secret scanner",
        "description": "End the credentials in a signed alert, in the format of GitHub's secret scanning.",
        "parameters": [
            _sent("Github-Public-Key-Identifier", "The key of the signature."),
            _sent("Github-Public-Key-Signature", "ECDSA on P-256 with SHA-256 over the body, in base64."),
            *HEADERS,
        ],
        "request": {
            "application/json": {
                "type": "array",
                "maxItems": 10_000,
                "items": members(
                    ["token"],
                    token=text("The credential that was found.", minLength=1, format="password"),
                    type=text("Its kind, in the words of the scanner."),
                    url=text("Where it was found."),
                ),
            }
        },
        "responses": {
            200: OpenApiResponse(
                {
                    "type": "array",
                    "items": members(
                        ["token_hash", "token_type", "label"],
                        token_hash=text("The SHA-256 digest of the credential."),
                        token_type=text("The kind, as the alert names it."),
                        label=text("Whether this server issued it.", enum=["true_positive", "false_positive"]),
                    ),
                },
                "What the alerts are about.",
            ),
            403: OpenApiResponse(ERROR, "The signature is not valid."),
            404: OpenApiResponse(None, "No alerts are received here."),
            **errors(400, 413, 503),
        },
    }


_AFTER, _WAIT = "The cursor of the last answer; everything is new without it.", "Seconds to wait for news, 20 at most."
_SECONDS = {**SECONDS, "minimum": 0, "maximum": 9999}
_CHANGE = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"oneOf": [STRING, SECONDS]}}
_FEED: dict[str, Any] = {
    "description": "Return the tokens that ended after a cursor, of those that the caller may introspect.",
    "responses": {
        200: OpenApiResponse(
            members(
                ["cursor", "restart", "more", "now", "pause", "policy", "resources", "changes"],
                cursor=text("The place for the next request."),
                restart={"type": "boolean", "description": "Whether the cursor was unknown: replace what you have."},
                more={"type": "boolean", "description": "Whether the next page can be read at once."},
                now={**SECONDS, "description": "The time of the server, with which expiries are compared."},
                pause={**SECONDS, "description": "Seconds after which to ask again."},
                age={**SECONDS, "description": "Seconds since the oldest of these changes was recorded."},
                issuer=text("The issuer identifier."),
                policy=text("The introspection policy of the caller."),
                resources=STRINGS,
                changes={
                    "type": "array",
                    "items": _CHANGE,
                    "description": "The identity of each token, with its expiry if it ended.",
                },
            ),
            "The changes, in their order.",
        ),
        **errors(400, 401, 403, 413, 415, 429, 503),
    },
}


class RevocationsEndpoint(Endpoint):
    """Describe the feed of revocations."""

    target_class = view("revocation_feed.views.RevocationsView", "django_introspection.revocation_feed")
    authenticators = (ClientSecret, IntrospectionToken)
    operation = {
        **_FEED,
        "summary": "Read the feed of revocations, with credentials in the form",
        "parameters": HEADERS,
        "request": form([], after=text(_AFTER), wait={**_SECONDS, "description": _WAIT}),
    }
    others = {
        "get": {
            **_FEED,
            "summary": "Read the feed of revocations",
            "auth": [{"clientSecretBasic": []}, {"introspectionToken": ["introspection"]}],
            "parameters": [
                OpenApiParameter("after", str, description=_AFTER),
                OpenApiParameter("wait", _SECONDS, description=_WAIT),
                *HEADERS,
            ],
        }
    }
