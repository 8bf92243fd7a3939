"""Authorization server metadata (RFC 8414)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from ...conf import introspection_settings
from ...keys import signing_keys
from ...models import GrantType
from ...protocol.errors import InvalidRequest
from ...protocol.identifiers import on_host_of, path_of
from ...protocol.jwt import SIGNING_ALGORITHMS
from ...protocol.metadata import server_metadata
from .. import assertions
from ..clients import INTROSPECTION_SCOPE
from .base import ProtocolView, public_response

MAX_AGE = 3600


class MetadataView(ProtocolView):
    """Describe this authorization server, from its configured issuer and never from the Host of a request."""

    def get(self, request: HttpRequest, issuer_path: str = "") -> HttpResponse:
        """Answer if the path is the issuer's (RFC 8414 §3.1)."""
        issuer = introspection_settings.ISSUER
        if issuer is None or issuer_path.strip("/") != path_of(issuer):
            raise InvalidRequest("There is no such issuer here.", status=404)
        members = server_metadata(
            issuer,
            token_endpoint=_endpoint(issuer, "token"),
            introspection_endpoint=_endpoint(issuer, "introspect"),
            revocation_endpoint=_endpoint(issuer, "revoke"),
            grant_types=list(GrantType.values),
            scopes=[INTROSPECTION_SCOPE, *_scopes()],
            protected_resources=list(introspection_settings.RESOURCES),
            jwks_uri=_endpoint(issuer, "jwks") if signing_keys() else None,
            assertion_algorithms=list(SIGNING_ALGORITHMS) if assertions.is_supported() else None,
        )
        return public_response(members, max_age=MAX_AGE)


def _scopes() -> list[str]:
    return sorted(set().union(*(resource.scopes for resource in introspection_settings.RESOURCES.values())))


def _endpoint(issuer: str, name: str) -> str | None:
    try:
        return on_host_of(issuer, reverse(f"introspection:{name}"))
    except NoReverseMatch:  # the project serves this document without our endpoints
        return None
