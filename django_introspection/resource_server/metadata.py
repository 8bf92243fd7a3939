"""Protected resource metadata (RFC 9728): the resources that this server protects, and their documents."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.module_loading import import_string

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..conf import DATABASE_BACKEND, introspection_settings
from ..exceptions import InvalidSetting
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import endpoint_problem
from ..protocol.jwt import SIGNING_ALGORITHMS
from ..protocol.metadata import document, resource_metadata
from ..protocol.presented import DPOP, Presented

WELL_KNOWN = "/.well-known/oauth-protected-resource"
URL_NAME = "introspection_well_known:protected-resource"


def metadata_url(alias: str, token: Presented | None = None) -> str | None:
    """Return the address of the document for a backend; None if it has no resource, or the document is not served.

    For a token, a routing backend counts as the one that it chooses. Made of the resource identifier, never of the Host
    header (RFC 9728 §3, §7.3).
    """
    try:
        backend = token_backends[alias]
        route = backend.known_route(token.value) if token and backend.is_router else ()
        resource = resource_of(route[0] if route else backend)
    except (InvalidSetting, IntrospectionUnavailable):  # a challenge can do without; the request itself meets the error
        return None
    if resource is None or not is_served():
        return None
    parts = urlsplit(resource)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.removesuffix('/')}{query}"


def is_served() -> bool:
    """Return whether the URL conf serves the documents at the root of the host."""
    return served_path() == WELL_KNOWN


def served_path() -> str | None:
    """Return the path at which the URL conf serves the documents, None if it does not serve them."""
    try:
        path = reverse(URL_NAME)
    except NoReverseMatch:
        return None
    return f"/{path.removeprefix(get_script_prefix())}"


def resource_of(backend: TokenBackend) -> str | None:
    """Return the resource identifier of a backend: the first audience that is a URL.

    A routing backend has that of the backends to choose from: the first that all of them share, so that its document
    names every authorization server; else the first of the first. Issuers that are looked up have the audience of the
    routing backend, and the document does not name them (RFC 9728 §2: they cannot be enumerated).
    """
    each = [_own_resources(source) for source in _sources(backend)]
    shared = (resource for resource in each[0] if all(resource in other for other in each))
    return next(chain(shared, *each), None)


def find_resource(path: str, query: str, host: str) -> str | None:
    """Return the resource whose document is at this path below WELL_KNOWN, with or without a final slash.

    `host` chooses between resources of the same path on several hosts, and is not taken into any answer.
    """
    candidates = []
    for alias in token_backends:
        for resource in resources_of(token_backends[alias]):
            parts = urlsplit(resource)
            if (parts.path.strip("/"), parts.query) == (path.strip("/"), query):
                candidates.append((parts.netloc != host, parts.path != f"/{path}", resource))
    return min(candidates)[-1] if candidates else None


def resource_document(resource: str, bearer_methods: Iterable[str], schemes: Collection[str]) -> dict[str, Any]:
    """Return the document of a resource."""
    declared = introspection_settings.RESOURCES.get(resource)
    return document(decided_members(resource, bearer_methods, schemes), declared.metadata if declared else {})


def decided_members(resource: str, bearer_methods: Iterable[str], schemes: Collection[str]) -> dict[str, Any]:
    """Return the members that follow from the settings and the views, which METADATA cannot replace."""
    backends = [token_backends[alias] for alias in token_backends]
    declared = introspection_settings.RESOURCES.get(resource)
    return resource_metadata(
        resource,
        authorization_servers=_issuers(backend for backend in backends if resource in backend.audience),
        scopes=sorted(declared.scopes) if declared else [],
        bearer_methods=sorted(set(bearer_methods), reverse=True),
        name=declared.name if declared else None,
        proof_algorithms=list(SIGNING_ALGORITHMS) if DPOP in schemes else [],
        proofs_required=set(schemes) == {DPOP},
        takes_certificates=introspection_settings.CLIENT_CERTIFICATES is not None,
    )


def aliases_of(resource: str) -> list[str]:
    """Return the aliases of the backends that accept tokens for a resource."""
    return [alias for alias in token_backends if resource in resources_of(token_backends[alias])]


def resources_of(backend: TokenBackend) -> Iterator[str]:
    """Yield the resource identifiers of a backend, or of those that it chooses from: the audiences that are URLs."""
    return (resource for source in _sources(backend) for resource in _own_resources(source))


def _sources(backend: TokenBackend) -> list[TokenBackend]:
    chosen = [token_backends[alias] for alias in backend.choices]
    return [*chosen, backend] if backend.audience or not chosen else chosen


def _own_resources(backend: TokenBackend) -> list[str]:
    if backend.audience_claim != "aud":  # these name something else, such as clients
        return []
    return [each for each in sorted(backend.audience) if "#" not in each and endpoint_problem(each) is None]


def _issuers(backends: Iterable[TokenBackend]) -> list[str]:
    issuers = (
        backend.issuer or (introspection_settings.ISSUER if _is_local(backend) else None) for backend in backends
    )
    return sorted({issuer for issuer in issuers if issuer})


def _is_local(backend: TokenBackend) -> bool:
    """Return whether a backend has the tokens of this project's own authorization server."""
    return apps.is_installed("django_introspection") and isinstance(backend, import_string(DATABASE_BACKEND))
