"""OpenAPI by drf-spectacular: our endpoints, and the scopes of every protected operation.

Both apps import this if `drf_spectacular` is an installed app; importing it is what activates it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import AND, OR
from rest_framework.views import APIView

from ..permissions import HasScope
from ..protocol.presented import BEARER, DPOP
from ..protocol.signed_answer import MEDIA_TYPE
from . import openapi_revoked  # noqa: F401 - importing it is what activates it
from .openapi_parts import (
    HEADERS,
    OBJECTS,
    SECONDS,
    STRING,
    STRINGS,
    ClientSecret,
    Endpoint,
    IntrospectionToken,
    Requirement,
    Schema,
    errors,
    form,
    header,
    members,
    text,
    view,
)

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
        """Return the scheme: with several, Bearer if it is one of them, or else DPoP."""
        schemes = self.target.schemes
        if BEARER in schemes:
            return {"type": "http", "scheme": "bearer", "description": "An access token (RFC 6750 §2.1)."}
        if DPOP in schemes:
            return {"type": "http", "scheme": "dpop", "description": "An access token with a proof (RFC 9449 §7.1)."}
        description = f"An access token after the scheme and a space. Schemes: {', '.join(schemes)}."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}


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


class ClientSecretScheme(OpenApiAuthenticationExtension):
    """Describe client authentication by secret."""

    target_class = ClientSecret
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

    target_class = IntrospectionToken
    name = "introspectionToken"

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Requirement]:
        """Return the scope that such a token needs."""
        return [{self.name: ["introspection"]}]

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """Return the scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A token of the caller's own (RFC 7662 §2.1)."}


class IntrospectEndpoint(Endpoint):
    """Describe token introspection (RFC 7662)."""

    target_class = view("authorization_server.views.IntrospectView")
    authenticators = (ClientSecret, IntrospectionToken)
    operation = {
        "summary": "Introspect a token",
        "description": "Return the members that the caller may see (RFC 7662). An inactive token is no error.",
        "parameters": HEADERS,
        "request": form(
            ["token"],
            token=text("The token asked about."),
            token_type_hint=text("What it may be. Changes nothing."),
        ),
        "responses": {
            200: OpenApiResponse(
                members(
                    ["active"],
                    active={
                        "type": "boolean",
                        "description": "Whether the token is active, and this caller may introspect it.",
                    },
                    scope=text("Scopes with one space between."),
                    client_id=text("The client that the token was issued to."),
                    username=text("A name to show people."),
                    token_type=text("How the token is used."),
                    exp=SECONDS,
                    iat=SECONDS,
                    nbf=SECONDS,
                    sub=text("Whose token it is."),
                    aud={"oneOf": [STRING, STRINGS]},
                    iss=text("The issuer identifier."),
                    jti=text("The identifier of the token."),
                    cnf={"type": "object", "description": "The key that the token is bound to."},
                    authorization_details=OBJECTS,
                ),
                "The members of the token. Further ones are possible.",
            ),
            (200, MEDIA_TYPE): OpenApiResponse(STRING, "The same members, as a signed JWT (RFC 9701)."),
            **errors(400, 401, 403, 413, 415, 429, 503),
        },
    }


class TokenEndpoint(Endpoint):
    """Describe the token endpoint (RFC 6749)."""

    target_class = view("authorization_server.views.TokenView")
    operation = {
        "summary": "Get a token",
        "description": "Issue tokens for the grant that a client presents (RFC 6749 §3.2).",
        "parameters": HEADERS,
        "request": form(
            ["grant_type"],
            grant_type=text("The grant that is exchanged for the token.", enum=GRANT_TYPES),
            scope=text("Scopes with one space between; all that the client may have by default."),
            resource={**STRINGS, "description": "The resources that the token is for (RFC 8707)."},
            refresh_token=text("The refresh token that is exchanged (RFC 6749 §6)."),
            authorization_details=text("What the token shall allow, as a JSON array of objects (RFC 9396)."),
            audience={**STRINGS, "description": "Further resources of an exchanged token (RFC 8693)."},
            subject_token=text("The access token that is exchanged (RFC 8693 §2.1).", format="password"),
            subject_token_type=text("urn:ietf:params:oauth:token-type:access_token"),
            actor_token=text("An access token of the party that acts for the subject.", format="password"),
            actor_token_type=text("urn:ietf:params:oauth:token-type:access_token"),
            requested_token_type=text("urn:ietf:params:oauth:token-type:access_token"),
        ),
        "responses": {
            200: OpenApiResponse(
                members(
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
            **errors(400, 401, 413, 415, 429, 503),
        },
    }


class RevokeEndpoint(Endpoint):
    """Describe token revocation (RFC 7009)."""

    target_class = view("authorization_server.views.RevokeView")
    operation = {
        "summary": "Revoke a token",
        "description": "Revoke a token of the client (RFC 7009). A token that is already inactive is no error.",
        "parameters": HEADERS,
        "request": form(
            ["token"],
            token=text("The token to revoke."),
            token_type_hint=text("What it may be. Changes nothing."),
        ),
        "responses": {
            200: OpenApiResponse(None, "The token is unknown or inactive."),
            **errors(400, 401, 413, 415, 429, 503),
        },
    }


class MetadataEndpoint(Endpoint):
    """Describe the metadata document (RFC 8414)."""

    target_class = view("authorization_server.views.MetadataView")
    method = "get"
    authenticators = ()
    operation = {
        "summary": "Describe this authorization server",
        "description": "Metadata of the authorization server (RFC 8414).",
        "parameters": [header("Cache-Control", "How long the document may be kept.", 200)],
        "responses": {
            200: OpenApiResponse(
                members(
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
            **errors(404),
        },
    }


class OtherEndpoint(Endpoint):
    """Leave out an endpoint that has no description here."""

    target_class = view("authorization_server.views.base.ProtocolView")
    priority = -1

    def view_replacement(self) -> type[APIView]:
        """Return the view, excluded."""
        return extend_schema(exclude=True)(type(self.target.__name__, (self.target,), {}))
