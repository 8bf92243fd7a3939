"""The metadata of this authorization server (RFC 8414)."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

from ..conf import introspection_settings
from ..keys import signing_keys
from ..models import GrantType
from ..protocol.identifiers import on_host_of
from ..protocol.jwt import SIGNING_ALGORITHMS
from ..protocol.metadata import document, server_metadata
from . import assertions, dpop
from .certificate_clients import supported_methods
from .clients import INTROSPECTION_SCOPE


def server_document(issuer: str) -> dict[str, Any]:
    """Return the document of this issuer; raises InvalidSetting."""
    return document(decided_members(issuer), introspection_settings.METADATA)


def decided_members(issuer: str) -> dict[str, Any]:
    """Return the members that follow from the settings and the URL conf, which METADATA cannot replace."""
    token_endpoint, revocations = _endpoint(issuer, "token"), _endpoint(issuer, "revocations")
    members = server_metadata(
        issuer,
        token_endpoint=token_endpoint,
        introspection_endpoint=_endpoint(issuer, "introspect"),
        revocation_endpoint=_endpoint(issuer, "revoke"),
        grant_types=list(GrantType.values),
        scopes=[*([INTROSPECTION_SCOPE] if token_endpoint else []), *_scopes()],
        protected_resources=list(introspection_settings.RESOURCES),
        jwks_uri=_endpoint(issuer, "jwks") if signing_keys() else None,
        assertion_algorithms=list(SIGNING_ALGORITHMS) if assertions.is_supported() else [],
        proof_algorithms=list(SIGNING_ALGORITHMS) if dpop.is_supported() else [],
        authorization_details_types=sorted(introspection_settings.AUTHORIZATION_DETAILS_TYPES),
        answer_algorithms=list(dict.fromkeys(key.alg for key in signing_keys())),
        certificate_methods=supported_methods(),
        certificate_endpoints=_certificate_endpoints(),
    )
    return {**members, "revocations_endpoint": revocations} if revocations else members


def _scopes() -> list[str]:
    return sorted(set().union(*(resource.scopes for resource in introspection_settings.RESOURCES.values())))


def _certificate_endpoints() -> dict[str, str]:
    """Return the endpoints at the origin that asks for certificates, none if it is the issuer's (RFC 8705 §5)."""
    source = introspection_settings.CLIENT_CERTIFICATES
    if source is None or source.origin is None:
        return {}
    names = {"token": "token_endpoint", "introspect": "introspection_endpoint", "revoke": "revocation_endpoint"}
    urls = {member: _endpoint(source.origin, name) for name, member in names.items()}
    return {member: url for member, url in urls.items() if url}


def _endpoint(issuer: str, name: str) -> str | None:
    try:
        return on_host_of(issuer, reverse(f"introspection:{name}"))
    except NoReverseMatch:  # the project serves this document without our endpoints
        return None
