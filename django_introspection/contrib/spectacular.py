"""OpenAPI by drf-spectacular: our endpoints, and the scopes of every protected operation.

Both apps import this if `drf_spectacular` is an installed app; importing it is what activates it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from typing import Any

from django.apps import apps
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
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
from rest_framework.permissions import AND, OR
from rest_framework.views import APIView

from ..permissions import HasScope
from ..protocol.signed_answer import MEDIA_TYPE

Schema = dict[str, Any]
Requirement = dict[str, list[str]]

FORM = "application/x-www-form-urlencoded"
STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
OBJECTS: Schema = {"type": "array", "items": {"type": "object"}, "description": "Authorization details (RFC 9396)."}
SECONDS: Schema = {"type": "integer"}
GRANT_TYPES = ["client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """Describe IntrospectionAuthentication: a bearer token with the scopes that the permissions ask for."""

    target_class: Any = "django_introspection.authentication.IntrospectionAuthentication"
    match_subclasses = True
    name: str

    def __init__(self, target: Any) -> None:
        super().__init__(target)  # type: ignore[no-untyped-call]
        more = type(target).__name__.removeprefix("IntrospectionAuthentication")  # one scheme for each class
        self.name = re.sub(r"[^A-Za-z0-9._-]", "", f"accessToken{more}")

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Requirement]:
        """Return the alternatives, one for each set of scopes that opens the operation."""
        view, method = auto_schema.view, auto_schema.method
        return [{self.name: sorted(scopes)} for scopes in _alternatives(view.get_permissions(), view, method)]

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "An access token (RFC 6750 §2.1)."}


def _alternatives(permissions: Iterable[Any], view: APIView, method: str) -> list[frozenset[str]]:
    """Return the sets of scopes, any of which is enough for all of these permissions."""
    choices = [_scopes(permission, view, method) for permission in permissions]
    return list(dict.fromkeys(frozenset[str]().union(*chosen) for chosen in product(*choices)))


def _scopes(permission: Any, view: APIView, method: str) -> list[frozenset[str]]:
    if isinstance(permission, HasScope):
        return [frozenset(permission.required(view, method) or ())]
    if isinstance(permission, AND):
        return _alternatives(vars(permission).values(), view, method)
    if isinstance(permission, OR):
        return [scopes for operand in vars(permission).values() for scopes in _scopes(operand, view, method)]
    return [frozenset()]


class _ClientSecret(BaseAuthentication):
    """Stand for the secret of a client on the described views."""


class _IntrospectionToken(BaseAuthentication):
    """Stand for a bearer token of the caller's own."""


class ClientSecretScheme(OpenApiAuthenticationExtension):
    """Describe client authentication by secret."""

    target_class = _ClientSecret
    name = "clientSecretBasic"

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Requirement]:
        """Return Basic, or nothing: OpenAPI has no scheme for credentials in the body."""
        return [{self.name: []}, {}]

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """Return the scheme."""
        description = "Client ID and secret, each form-encoded first (RFC 6749 §2.3.1)."
        return {"type": "http", "scheme": "basic", "description": description}


class IntrospectionTokenScheme(OpenApiAuthenticationExtension):
    """Describe the bearer token of a caller."""

    target_class = _IntrospectionToken
    name = "introspectionToken"

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Requirement]:
        """Return the scope that such a token needs."""
        return [{self.name: ["introspection"]}]

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A token of the caller's own (RFC 7662 §2.1)."}


class _RequiringBody(AutoSchema):
    """Say that a request needs its body: drf-spectacular derives that from serializers alone."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Schema | None:
        """Return the description of an operation."""
        operation: Schema | None = super().get_operation(*args, **kwargs)
        if operation and "requestBody" in operation:
            operation["requestBody"]["required"] = True
        return operation


class _Endpoint(OpenApiViewExtension):
    """Describe an endpoint of the authorization server; one without a description is left out of the schema."""

    match_subclasses = True
    method = "post"
    authenticators: tuple[type[BaseAuthentication], ...] = (_ClientSecret,)
    operation: dict[str, Any] = {}

    def view_replacement(self) -> type[APIView]:
        """Return the view with its description."""
        described = type(self.target.__name__, (self.target,), {"authentication_classes": self.authenticators})
        schema = extend_schema(tags=["OAuth"], **self.operation)
        described = extend_schema_view(**{self.method: schema})(described)
        options = getattr(described, self.method).kwargs
        options["schema"] = type(options["schema"].__name__, (_RequiringBody, options["schema"]), {})
        return described


def _view(name: str) -> str | None:
    """Return the path of a view, if the app that has it is installed."""
    return f"django_introspection.authorization_server.{name}" if apps.is_installed("django_introspection") else None


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _text(description: str, **more: Any) -> Schema:
    return {**STRING, "description": description, **more}


def _form(required: list[str], **properties: Schema) -> dict[str, Schema]:
    """Describe a form, with the credentials that may be in it (`client_secret_post`, `private_key_jwt`).

    A parameter without a value counts as absent (RFC 6749 §3.2).
    """
    credentials = {
        "client_id": _text("The identifier of the client, if the credentials are in the body."),
        "client_secret": _text("The secret, if it is not in the header.", format="password"),
        "client_assertion_type": _text("urn:ietf:params:oauth:client-assertion-type:jwt-bearer (RFC 7523)."),
        "client_assertion": _text("The JWT that a client signs instead of sending a secret.", format="password"),
    }
    properties |= {name: {**properties[name], "minLength": 1} for name in required}
    others = {**STRING, "description": "Ignored; no parameter may come twice (RFC 6749 §3.2)."}
    return {FORM: {**_object(required, **properties, **credentials), "additionalProperties": others}}


def _header(name: str, description: str, *statuses: int, **schema: Any) -> OpenApiParameter:
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
    _header("WWW-Authenticate", "How to authenticate.", 401),
    _header("Retry-After", "Seconds to wait.", 429, 503, type="integer"),
    _header("Cache-Control", "Nothing keeps this answer.", 200, 400, 401, 403, 413, 415, 429, 503, enum=["no-store"]),
]


def _errors(*statuses: int) -> dict[int, OpenApiResponse]:
    return {status: OpenApiResponse(ERROR, ERRORS[status]) for status in statuses}


class IntrospectEndpoint(_Endpoint):
    """Describe token introspection (RFC 7662)."""

    target_class = _view("views.IntrospectView")
    authenticators = (_ClientSecret, _IntrospectionToken)
    operation = {
        "summary": "Introspect a token",
        "description": "Return the members that the caller may see (RFC 7662). An inactive token is no error.",
        "parameters": HEADERS,
        "request": _form(
            ["token"],
            token=_text("The token asked about."),
            token_type_hint=_text("What it may be. Changes nothing."),
        ),
        "responses": {
            200: OpenApiResponse(
                _object(
                    ["active"],
                    active={
                        "type": "boolean",
                        "description": "Whether the token is active, and this caller may introspect it.",
                    },
                    scope=_text("Scopes with one space between."),
                    client_id=_text("The client that the token was issued to."),
                    username=_text("A name to show people."),
                    token_type=_text("How the token is used."),
                    exp=SECONDS,
                    iat=SECONDS,
                    nbf=SECONDS,
                    sub=_text("Whose token it is."),
                    aud={"oneOf": [STRING, STRINGS]},
                    iss=_text("The issuer identifier."),
                    jti=_text("The identifier of the token."),
                    cnf={"type": "object", "description": "The key that the token is bound to."},
                    authorization_details=OBJECTS,
                ),
                "The members of the token. Further ones are possible.",
            ),
            (200, MEDIA_TYPE): OpenApiResponse(STRING, "The same members, as a signed JWT (RFC 9701)."),
            **_errors(400, 401, 403, 413, 415, 429, 503),
        },
    }


class TokenEndpoint(_Endpoint):
    """Describe the token endpoint (RFC 6749)."""

    target_class = _view("views.TokenView")
    operation = {
        "summary": "Get a token",
        "description": "Issue tokens for the grant that a client presents (RFC 6749 §3.2).",
        "parameters": HEADERS,
        "request": _form(
            ["grant_type"],
            grant_type=_text("The grant that is exchanged for the token.", enum=GRANT_TYPES),
            scope=_text("Scopes with one space between; all that the client may have by default."),
            resource={**STRINGS, "description": "The resources that the token is for (RFC 8707)."},
            refresh_token=_text("The refresh token that is exchanged (RFC 6749 §6)."),
            authorization_details=_text("What the token shall allow, as a JSON array of objects (RFC 9396)."),
            audience={**STRINGS, "description": "Further resources of an exchanged token (RFC 8693)."},
            subject_token=_text("The access token that is exchanged (RFC 8693 §2.1).", format="password"),
            subject_token_type=_text("urn:ietf:params:oauth:token-type:access_token"),
            actor_token=_text("An access token of the party that acts for the subject.", format="password"),
            actor_token_type=_text("urn:ietf:params:oauth:token-type:access_token"),
            requested_token_type=_text("urn:ietf:params:oauth:token-type:access_token"),
        ),
        "responses": {
            200: OpenApiResponse(
                _object(
                    ["access_token", "token_type"],
                    access_token=STRING,
                    token_type=STRING,
                    expires_in=SECONDS,
                    scope=STRING,
                    refresh_token=STRING,
                    issued_token_type=STRING,
                    authorization_details=OBJECTS,
                ),
                "The token.",
            ),
            **_errors(400, 401, 413, 415, 429, 503),
        },
    }


class RevokeEndpoint(_Endpoint):
    """Describe token revocation (RFC 7009)."""

    target_class = _view("views.RevokeView")
    operation = {
        "summary": "Revoke a token",
        "description": "Revoke a token of the client (RFC 7009). A token that is already inactive is no error.",
        "parameters": HEADERS,
        "request": _form(
            ["token"],
            token=_text("The token to revoke."),
            token_type_hint=_text("What it may be. Changes nothing."),
        ),
        "responses": {
            200: OpenApiResponse(None, "The token is unknown or inactive."),
            **_errors(400, 401, 413, 415, 429, 503),
        },
    }


class MetadataEndpoint(_Endpoint):
    """Describe the metadata document (RFC 8414)."""

    target_class = _view("views.MetadataView")
    method = "get"
    authenticators = ()
    operation = {
        "summary": "Describe this authorization server",
        "description": "Metadata of the authorization server (RFC 8414).",
        "parameters": [_header("Cache-Control", "How long the document may be kept.", 200)],
        "responses": {
            200: OpenApiResponse(
                _object(
                    ["issuer"],
                    issuer=STRING,
                    token_endpoint=STRING,
                    token_endpoint_auth_methods_supported=STRINGS,
                    introspection_endpoint=STRING,
                    introspection_endpoint_auth_methods_supported=STRINGS,
                    revocation_endpoint=STRING,
                    revocation_endpoint_auth_methods_supported=STRINGS,
                    grant_types_supported=STRINGS,
                    scopes_supported=STRINGS,
                ),
                "The document. Further members are possible.",
            ),
            **_errors(404),
        },
    }


class OtherEndpoint(_Endpoint):
    """Leave out an endpoint that has no description here."""

    target_class = _view("views.base.ProtocolView")
    priority = -1

    def view_replacement(self) -> type[APIView]:
        """Return the view, excluded."""
        return extend_schema(exclude=True)(type(self.target.__name__, (self.target,), {}))
