"""The parts that descriptions of endpoints are made of, for drf-spectacular."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.views import APIView

Schema = dict[str, Any]
Requirement = dict[str, list[str]]

FORM = "application/x-www-form-urlencoded"
STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
OBJECTS: Schema = {"type": "array", "items": {"type": "object"}, "description": "Authorization details (RFC 9396)."}
SECONDS: Schema = {"type": "integer"}


class ClientSecret(BaseAuthentication):
    """Stand for the secret of a client on the described views."""


class IntrospectionToken(BaseAuthentication):
    """Stand for a bearer token of the caller's own."""


class _RequiringBody(AutoSchema):
    """Say that a request needs its body: drf-spectacular derives that from serializers alone."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        """Return the description of an operation."""
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation and "requestBody" in operation:
            operation["requestBody"]["required"] = True
        return operation


class Endpoint(OpenApiViewExtension):
    """Describe an endpoint of the authorization server; one without a description is left out of the schema."""

    match_subclasses = True
    method = "post"
    authenticators: tuple[type[BaseAuthentication], ...] = (ClientSecret,)
    operation: dict[str, Any] = {}
    others: dict[str, dict[str, Any]] = {}
    """Further methods, and their descriptions."""

    def view_replacement(self) -> type[APIView]:
        """Return the view with its description."""
        described = type(self.target.__name__, (self.target,), {"authentication_classes": self.authenticators})
        for method, operation in {self.method: self.operation, **self.others}.items():
            described = extend_schema_view(**{method: extend_schema(tags=["OAuth"], **operation)})(described)
            options = getattr(described, method).kwargs
            options["schema"] = type(options["schema"].__name__, (_RequiringBody, options["schema"]), {})
        return described


def view(path: str, app: str = "django_introspection") -> str | None:
    """Return the path of a view of ours, or None if the app that has it is not installed."""
    return f"django_introspection.{path}" if apps.is_installed(app) else None


def members(required: list[str], **properties: Schema) -> Schema:
    """Describe a JSON object."""
    described = {"type": "object", "properties": properties}
    return {**described, "required": required} if required else described  # OpenAPI 3.0 has no empty list there


def text(description: str, **more: Any) -> Schema:
    """Describe a string."""
    return {**STRING, "description": description, **more}


def form(required: list[str], **properties: Schema) -> dict[str, Schema]:
    """Describe a form, with the credentials that may be in it (`client_secret_post`, `private_key_jwt`).

    A parameter without a value counts as absent (RFC 6749 §3.2).
    """
    credentials = {
        "client_id": text("The identifier of the client, if the credentials are in the body."),
        "client_secret": text("The secret, if it is not in the header.", format="password"),
        "client_assertion_type": text("urn:ietf:params:oauth:client-assertion-type:jwt-bearer (RFC 7523)."),
        "client_assertion": text("The JWT that a client signs instead of sending a secret.", format="password"),
    }
    properties |= {name: {**properties[name], "minLength": 1} for name in required}
    return open_form(required, **properties, **credentials)


def open_form(required: list[str], **properties: Schema) -> dict[str, Schema]:
    """Describe a form of anyone, without credentials."""
    others = {**STRING, "description": "Ignored; no parameter may come twice (RFC 6749 §3.2)."}
    return {FORM: {**members(required, **properties), "additionalProperties": others}}


def header(name: str, description: str, *statuses: int, **schema: Any) -> OpenApiParameter:
    """Describe a header of the answers with these statuses."""
    return OpenApiParameter(
        name,
        type={**STRING, **schema},
        location=OpenApiParameter.HEADER,
        description=description,
        response=list(statuses),
    )


ERROR = inline_serializer(
    "OAuthErrorResponse",
    {
        "error": serializers.CharField(help_text="A code of RFC 6749 §5.2."),
        "error_description": serializers.CharField(required=False),
    },
)
ERRORS = {
    400: "The request is malformed, or what it asks for is refused.",
    401: "Client authentication failed.",
    403: "This client may not ask.",
    404: "There is no such issuer here.",
    413: "The body is too large.",
    415: "The body is no form.",
    429: "Too many failures.",
    503: "The server cannot answer at the moment; nothing was decided.",
}
HEADERS = [
    header("WWW-Authenticate", "How to authenticate.", 401),
    header("Retry-After", "Seconds to wait.", 429, 503, type="integer"),
    header("Cache-Control", "Nothing keeps this answer.", 200, 400, 401, 403, 413, 415, 429, 503, enum=["no-store"]),
]


def errors(*statuses: int) -> dict[int, OpenApiResponse]:
    """Describe the errors of an endpoint."""
    return {status: OpenApiResponse(ERROR, ERRORS[status]) for status in statuses}
