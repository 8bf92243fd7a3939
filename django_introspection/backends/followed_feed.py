"""Making the feed that a backend follows, from its settings and its connection."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import apps

from ..outbound.client_authentication import Authorization
from ..outbound.discovery import Discovery
from ..outbound.steps import Steps
from ..protocol.identifiers import issuer_problem
from .base import TokenBackend
from .feed import Feed
from .feed_options import FeedOptions
from .feed_source import FeedSource, PageSource
from .remote_options import ServerConnection

APP = "django_introspection.revocation_feed"


def make_feed(
    backend: TokenBackend,
    values: Any,
    connection: ServerConnection,
    authorization: Authorization,
    timeout: float,
    *,
    client_id: str | None,
) -> Feed:
    """Return the feed of the server that a backend asks; raises InvalidBackend."""
    options = FeedOptions.read(backend.alias, values, insecure_http=connection.insecure_http)
    source: PageSource
    if options.is_in_database:
        source = _in_database(options, client_id)
    else:
        source = _at_server(options, backend.issuer, connection, authorization)
    feed = Feed(backend.alias, source, options, timeout)
    feed.on_restart.append(backend.purge)
    return feed


def _in_database(options: FeedOptions, client_id: str | None) -> PageSource:
    if not apps.is_installed(APP):
        raise options.invalid("FEED", f"must not be 'database' without {APP!r} in INSTALLED_APPS")
    if options.URL is not None:
        raise options.invalid("URL", "must not be set: the feed is read from the database")
    if client_id is None:
        raise options.invalid("FEED", "must not be 'database' without the option 'client_id', whose policy decides")
    from ..revocation_feed.direct import DatabaseSource

    return DatabaseSource(client_id)


def _at_server(
    options: FeedOptions, issuer: str | None, connection: ServerConnection, authorization: Authorization
) -> PageSource:
    if options.URL is None and _has_no_metadata(issuer, connection):
        raise options.invalid("URL", "is required, unless the option 'issuer' names an issuer with metadata")
    # A discovery of its own: metadata without a feed must not hide the introspection endpoint.
    address = partial(_address, options.URL, connection.discovery(issuer))
    return FeedSource(connection.transport, address, authorization)


def _has_no_metadata(issuer: str | None, connection: ServerConnection) -> bool:
    return issuer is None or issuer_problem(issuer, insecure_http=connection.insecure_http) is not None


def _address(configured: str | None, metadata: Discovery) -> Steps[str]:
    if configured is not None:
        return configured
    return (yield from metadata.endpoint("revocations_endpoint"))
