"""Requests to the other end of a stream, to an address that an operator wrote into a row."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ..conf import introspection_settings
from ..outbound.deadline import deadline
from ..outbound.messages import Reply, Request
from ..outbound.steps import run
from ..outbound.transport import Transport
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import endpoint_problem, is_loopback, is_public
from .models import Stream

_FIXED = {"Accept": "application/json", "Accept-Encoding": "identity"}


@conceal_locals
def post(stream: Stream, url: str, body: bytes, content_type: str, *, seconds: float) -> Reply:
    """Post to an https URL at a public address, with the authorization of the stream; no redirect is followed.

    A host in JWKS_HOSTS may be anywhere, and on loopback speak plain http. Raises IntrospectionUnavailable.
    """
    host = (urlsplit(url).hostname or "").lower()
    trusted = host in introspection_settings.JWKS_HOSTS
    if endpoint_problem(url) or (is_loopback(host) and not trusted):
        raise IntrospectionUnavailable("the address of the stream is not one that events are exchanged with")
    request = Request("POST", url, {**_FIXED, "Content-Type": content_type, **_authorization(stream)}, body)
    transport = Transport(verify=True, allows=None if trusted else is_public)
    try:
        with deadline(seconds):
            return run(iter(transport.send(request)))
    finally:
        transport.close()


def _authorization(stream: Stream) -> Mapping[str, str]:
    if stream.authorization is None:
        return {}
    secret = stream.secret()
    if not secret.isascii() or not secret.isprintable():
        raise IntrospectionUnavailable("authorization: the value must have visible ASCII characters alone")
    return {"Authorization": secret}
