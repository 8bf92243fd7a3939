"""The endpoints of an issuer, as its own metadata names them (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..protocol.errors import IntrospectionUnavailable, InvalidResponse
from ..protocol.explanation import quoted
from ..protocol.identifiers import endpoint_problem, leads_here, on_host_of
from ..protocol.strict_json import parse_json_document
from .messages import Reply, Request
from .renewal import Fetched, Renewable
from .steps import Steps
from .transport import AWAY, Transport, Unreachable

FRESH = 60 * 60
"""Seconds after which the document is fetched again."""
RETRY = 5
"""Seconds between two tries to fetch the first document."""

Endpoints = Mapping[str, str]
"""URLs by the names that the metadata gives them."""


class ServerAway(InvalidResponse):
    """A proxy answers that the server behind it is down."""


class Discovery:
    """Fetch the endpoints of one issuer from its metadata, and keep them.

    The last endpoints serve while the metadata cannot be renewed. A client with a certificate goes to the endpoints
    that ask for it, if these are others (RFC 8705 §5).
    """

    def __init__(self, issuer: str, transport: Transport, *, insecure_http: bool, has_certificate: bool) -> None:
        self._issuer, self._transport, self._insecure_http = issuer, transport, insecure_http
        self._has_certificate = has_certificate
        self._needed: set[str] = set()
        self._endpoints = Renewable("metadata of the issuer", self._fetch, retry=RETRY)

    def endpoint(self, name: str) -> Steps[str]:
        """Return the URL of an endpoint such as `introspection_endpoint`; raise IntrospectionUnavailable."""
        self._needed.add(name)
        endpoints = yield from self._endpoints.get(lambda kept: name in kept)
        return endpoints[name]

    def _fetch(self) -> Steps[Fetched[Endpoints]]:
        """Try each well-known place until every endpoint that is needed is found.

        A place that answers anything else does not have the document of this issuer: index pages, redirects and errors
        of a proxy are common there. If a connection fails, the server is down, and no other place is tried.
        """
        needed, found, said = tuple(self._needed), dict[str, str](), list[str]()
        is_away = True
        for url in metadata_urls(self._issuer):
            try:
                metadata = read_metadata((yield from self._transport.exchange(partial(Request.get, url))), self._issuer)
            except InvalidResponse as problem:
                said.append(f"{url}: {problem}")
                is_away = is_away and isinstance(problem, ServerAway)
                continue
            is_away = False
            usable, problems = self._usable(metadata, needed)
            found = {**usable, **found}
            if found.keys() >= set(needed):
                return Fetched(found, FRESH, math.inf)
            said.append(f"{url}: {', '.join(problems)}")
        if is_away:
            raise Unreachable(f"the server of the issuer is away: {'; '.join(said)}")
        missing = ", ".join(sorted(set(needed) - found.keys()))
        raise IntrospectionUnavailable(f"no {missing} is found in the metadata of the issuer: {'; '.join(said)}")

    def _usable(self, metadata: Mapping[str, Any], names: Iterable[str]) -> tuple[Endpoints, list[str]]:
        """Return the endpoints that a document names and tokens may be sent to, and what is wrong with the others."""
        usable, problems = dict[str, str](), list[str]()
        aliases = metadata.get("mtls_endpoint_aliases") if self._has_certificate else None
        addresses = {**metadata, **aliases} if isinstance(aliases, Mapping) else metadata
        for name in names:
            url = addresses.get(name)
            if not isinstance(url, str):
                problems.append(f"the {name} is missing")
            elif problem := endpoint_problem(url, insecure_http=self._insecure_http) or self._foreign_loopback(url):
                problems.append(f"the {name} {problem}")
            else:
                usable[name] = url
        return usable, problems

    def _foreign_loopback(self, url: str) -> str | None:
        """Return why a URL is not used that leads to this machine, although its issuer is elsewhere."""
        hosts = [urlsplit(each).hostname or "" for each in (url, self._issuer)]
        if self._insecure_http or [leads_here(host) for host in hosts] != [True, False]:
            return None
        return "is on a loopback address, and the issuer is not"


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Return the possible URLs of an issuer's metadata, without repeated ones (RFC 8414 §3.1 and §5)."""
    path = urlsplit(issuer).path.rstrip("/")
    paths = (
        f"/.well-known/oauth-authorization-server{path}",
        f"{path}/.well-known/openid-configuration",
        f"/.well-known/openid-configuration{path}",
    )
    return tuple(on_host_of(issuer, each) for each in dict.fromkeys(paths))


def read_metadata(reply: Reply, issuer: str) -> Mapping[str, Any]:
    """Read the document of an issuer, which must name exactly this one (RFC 8414 §3.3); raises InvalidResponse."""
    if reply.status != 200:
        raise (ServerAway if reply.status in AWAY else InvalidResponse)(f"status {reply.status}")
    if reply.is_packed:
        raise InvalidResponse("the document is encoded although identity was asked")
    try:
        metadata = parse_json_document(reply.body)
    except ValueError as problem:
        raise InvalidResponse(f"the document {problem}") from None
    if metadata.get("issuer") != issuer:
        raise InvalidResponse(f"the document is that of another issuer, {quoted([metadata.get('issuer')])}")
    return metadata
