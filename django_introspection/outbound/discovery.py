"""The endpoints of an issuer, as its own metadata names them (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.identifiers import endpoint_problem, on_host_of
from ..protocol.strict_json import parse_json_object
from .renewal import Fetched, Renewable
from .steps import Steps
from .transport import Reply, Request, Transport

FRESH = 60 * 60
"""Seconds after which the document is fetched again."""
RETRY = 5
"""Seconds between two tries to fetch the first document."""


class Discovery:
    """Fetch the metadata of one issuer, and keep it; the last valid document serves while it cannot be renewed."""

    def __init__(self, issuer: str, transport: Transport, *, insecure_http: bool) -> None:
        self._issuer, self._transport, self._insecure_http = issuer, transport, insecure_http
        self._metadata = Renewable("metadata of the issuer", self._fetch_metadata, retry=RETRY)

    def endpoint(self, name: str) -> Steps[str]:
        """Return the URL of an endpoint such as `introspection_endpoint`; raise IntrospectionUnavailable."""
        metadata = yield from self._metadata.get()
        url = metadata.get(name)
        if not isinstance(url, str):
            raise InvalidResponse(f"the metadata of the issuer has no {name}")
        if problem := endpoint_problem(url, insecure_http=self._insecure_http):
            raise InvalidResponse(f"the {name} of the issuer {problem}")
        return url

    def _fetch_metadata(self) -> Steps[Fetched[Mapping[str, Any]]]:
        return Fetched((yield from self._fetch()), FRESH, math.inf)

    def _fetch(self) -> Steps[Mapping[str, Any]]:
        """Try both well-known places; the second is not tried if the server is down."""
        for url in metadata_urls(self._issuer):
            reply = yield from self._transport.exchange(partial(Request.get, url))
            if reply.status == 200:
                return read_metadata(reply, self._issuer)
            if reply.status not in (400, 401, 403, 404, 405, 406, 410):
                break
        raise IntrospectionUnavailable(f"the issuer answers {reply.status} to the request for its metadata")


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Return the possible URLs of an issuer's metadata (RFC 8414 §3.1 and §5)."""
    path = urlsplit(issuer).path.rstrip("/")
    return (
        on_host_of(issuer, f"/.well-known/oauth-authorization-server{path}"),
        on_host_of(issuer, f"{path}/.well-known/openid-configuration"),
    )


def read_metadata(reply: Reply, issuer: str) -> Mapping[str, Any]:
    """Read the document of an issuer, which must name exactly this one (RFC 8414 §3.3); raises InvalidResponse."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise InvalidResponse("the metadata is encoded although identity was asked")
    try:
        metadata = parse_json_object(reply.body)
    except ValueError as problem:
        raise InvalidResponse(f"the metadata {problem}") from None
    if metadata.get("issuer") != issuer:
        raise InvalidResponse("the metadata is that of another issuer")
    return metadata
