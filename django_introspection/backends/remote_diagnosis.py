"""Trying another server for real: connection, certificate, credentials, answer, clock."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ..conf import introspection_settings
from ..outbound.deadline import deadline
from ..outbound.jwks import read_keys, signing_algorithms
from ..outbound.messages import Reply
from ..outbound.steps import Steps, run
from ..outbound.transport import Transport, Unreachable, host_of
from ..protocol.errors import CredentialsRefused, IntrospectionUnavailable, InvalidResponse
from ..protocol.explanation import quoted
from ..protocol.presented import Presented
from ..protocol.signed_answer import UnverifiedResponse
from .diagnosis import (
    Finding,
    Severity,
    milliseconds,
    random_token,
    said_active,
)
from .endpoint import IntrospectionEndpoint
from .reply import QuestionRefused

CERTIFICATE_DAYS = 14
"""Days before the end of a certificate at which it should have been renewed."""
_DAY = 24 * 60 * 60


def diagnose(
    address: Callable[[], Steps[str]],
    endpoint: IntrospectionEndpoint,
    transport: Transport,
    *,
    timeout: float,
    issuer: str | None,
) -> Iterator[Finding]:
    """Try to find, reach and ask an introspection endpoint; each try takes no longer than `timeout` seconds."""
    reached = reach(address, transport, timeout, issuer)
    yield reached
    if reached.severity != Severity.ERROR:
        yield from question(endpoint, timeout)


def diagnose_keys(
    address: Callable[[], Steps[str]],
    fetch: Callable[[], Steps[Reply]],
    algorithms: Iterable[str],
    transport: Transport,
    *,
    timeout: float,
    issuer: str | None,
) -> Iterator[Finding]:
    """Try to find, reach and read the keys of an issuer, some of which must be for one of the algorithms."""
    reached = reach(address, transport, timeout, issuer)
    yield reached
    if reached.severity == Severity.ERROR:
        return
    try:
        sent = time.time()
        with deadline(timeout):
            reply = run(fetch())
        keys, received = read_keys(reply), time.time()
    except IntrospectionUnavailable as problem:
        mend = "Check 'jwks_uri', or the jwks_uri in the issuer's metadata."
        yield Finding.error(f"the keys cannot be had: {problem}", _mend_way(problem, transport) or mend)
        return
    usable = [key for key in keys if not key.algorithms.isdisjoint(algorithms)]
    if usable:
        yield Finding.ok(f"keys that can verify its tokens: {len(usable)}")
    else:
        wanted = ", ".join(sorted(algorithms))
        yield Finding.error(f"no key is for {wanted}", "Compare 'algorithms' with what the issuer signs with.")
    if refused := signing_algorithms(reply).difference(algorithms):
        yield Finding.warning(
            f"keys are published for {quoted(sorted(refused))}, which is not accepted",
            "Tokens that are signed so are rejected. Compare 'algorithms' with what the issuer signs with.",
        )
    yield clock(reply.headers.get("date"), (sent + received) / 2, uncertain=1 + (received - sent) / 2)


def reach(address: Callable[[], Steps[str]], transport: Transport, timeout: float, issuer: str | None) -> Finding:
    """Find an address out and connect to it, or to the proxy; `issuer` is the one whose metadata names the address."""
    try:
        with deadline(timeout):
            url = run(address())
    except IntrospectionUnavailable as problem:
        if isinstance(problem, Unreachable) and issuer is not None:
            connected = connect(issuer, transport, timeout)
            if connected.severity == Severity.ERROR:  # it says what is wrong more exactly
                return connected
        mend = (
            "Compare 'issuer' with the issuer that the metadata of your server names: a slash at its end counts. "
            "If there is no metadata, set the address itself."
        )
        return Finding.error(f"the metadata cannot be read: {problem}", _mend_way(problem, transport) or mend)
    return connect(url, transport, timeout)


def _mend_way(problem: IntrospectionUnavailable, transport: Transport) -> str:
    """Return what to do about a server that does not reply, and "" about one that does."""
    if not isinstance(problem, Unreachable):
        return ""
    proxy = transport.proxy_url
    if proxy is None:
        return "Check that the server runs."
    return f"Check that the server runs, that the proxy {host_of(proxy)} reaches it, and that 'verify' fits."


def connect(url: str, transport: Transport, timeout: float) -> Finding:
    """Connect to the host of a URL and shake hands; if there is a proxy, connect to the proxy alone.

    If a proxy is the only way out, this machine may not know the name of the server.
    """
    proxy = transport.proxy_url
    parts = urlsplit(proxy or url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    place = f"{'the proxy ' if proxy else ''}{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout) as connection:
            if proxy:
                return Finding.ok(f"{place} takes connections")
            if parts.scheme != "https":
                return Finding.ok(f"{place} takes connections (plain http)")
            with transport.ssl_context.wrap_socket(connection, server_hostname=host) as secured:
                return _certificate(place, secured)
    except socket.gaierror:
        return Finding.error(
            f"the name {host} cannot be resolved", "Check the name, and the name server of this machine."
        )
    except ssl.SSLCertVerificationError as problem:
        mend = "Name a file with the certificate of the authority as 'verify', or renew the server's certificate."
        return Finding.error(f"{place}: the certificate is not good: {problem.verify_message}", mend)
    except ssl.SSLError as problem:
        return Finding.error(f"{place}: no TLS connection: {problem.reason}", "Check that the server speaks TLS there.")
    except OSError as problem:
        mend = "Start the server, or let its firewall take connections from here."
        return Finding.error(f"{place} takes no connection: {type(problem).__name__}", mend)


def _certificate(place: str, secured: ssl.SSLSocket) -> Finding:
    ends = (secured.getpeercert() or {}).get("notAfter")
    if not isinstance(ends, str):  # it was not asked to be good
        return Finding.ok(f"{place} takes connections ({secured.version()}, certificate not verified)")
    days = (ssl.cert_time_to_seconds(ends) - time.time()) // _DAY
    if days < CERTIFICATE_DAYS:
        return Finding.warning(
            f"{place}: the certificate ends in {days:.0f} days", "Renew the certificate of the server."
        )
    return Finding.ok(f"{place} takes connections ({secured.version()}, certificate good for {days:.0f} days)")


def question(endpoint: IntrospectionEndpoint, timeout: float) -> Iterator[Finding]:
    """Ask about a random token twice, the second time on the connection of the first."""
    try:
        sent = time.time()
        reply = _asked(endpoint, timeout)
        received = time.time()
        with deadline(timeout):
            answer = run(endpoint.read(reply))
        start = time.monotonic()
        _asked(endpoint, timeout)
        seconds = time.monotonic() - start
    except (CredentialsRefused, QuestionRefused) as problem:  # a random token is a question like any other
        mend = (
            "Compare client ID, secret and 'auth_method' with what is registered there, and whether it may introspect."
        )
        yield Finding.error(str(problem), mend)
    except UnverifiedResponse as problem:
        mend = (
            "Let the server sign its responses to this client (RFC 9701), with the keys and the issuer of its metadata."
        )
        yield Finding.error(str(problem), mend)
    except InvalidResponse as problem:
        yield Finding.error(str(problem), "Check that the address is that of the introspection endpoint.")
    except IntrospectionUnavailable as problem:
        yield Finding.error(str(problem), "Requests with a token get 503 until the server answers.")
    else:
        # Not that the credentials are right: authentik answers so to wrong ones as well.
        yield said_active() if answer else Finding.ok("the question is not refused, and a random token is inactive")
        if endpoint.is_signed:
            yield Finding.ok("the response is signed by the issuer, for this resource server")
        yield latency(seconds, timeout)
        yield clock(reply.headers.get("date"), (sent + received) / 2, uncertain=1 + (received - sent) / 2)


def _asked(endpoint: IntrospectionEndpoint, timeout: float) -> Reply:
    with deadline(timeout):
        return run(endpoint.exchange(Presented(random_token())))


def latency(seconds: float, timeout: float) -> Finding:
    """Judge the time of an answer by the time that is waited for one."""
    what = f"an answer takes {milliseconds(seconds)}"
    if seconds > timeout / 2:
        return Finding.warning(
            f"{what} of the {timeout:g} s of 'timeout'", "Move the server nearer, or keep answers in a CACHE."
        )
    return Finding.ok(what)


def clock(date: str | None, now: float, *, uncertain: float) -> Finding:
    """Compare the clock of the server with ours, which its Date header and the way here leave `uncertain` seconds."""
    try:
        parsed = parsedate_to_datetime(date or "")
    except ValueError:
        return Finding.warning(
            "the clocks cannot be compared: the answer has no date", "Let the server send a Date header."
        )
    there = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    difference, leeway = there.timestamp() - now, introspection_settings.LEEWAY
    what = f"the clock there is {abs(difference):.0f} s {'ahead of' if difference > 0 else 'behind'} ours"
    mend = f"Synchronize both clocks: tokens are judged with a LEEWAY of {leeway} s."
    if abs(difference) - uncertain > leeway:
        return Finding.error(what, mend)
    if abs(difference) - uncertain > leeway / 2:
        return Finding.warning(what, mend)
    return Finding.ok("the clocks agree" if abs(difference) <= uncertain else what)
