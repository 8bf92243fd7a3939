"""A span and a measured duration for each request to another server, with the trace context in its headers.

Names of spans, attributes and the metric are those of the semantic conventions for HTTP clients:
https://opentelemetry.io/docs/specs/semconv/http/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from urllib.parse import urlsplit

from opentelemetry import baggage, metrics, propagate, trace
from opentelemetry.trace import SpanKind, StatusCode

from ... import __version__
from ...outbound.instrumentation import Send, instrumentation
from ...outbound.messages import Reply, Request
from ...outbound.steps import Step

LONGEST_HEADER = 512
"""Characters of a header with trace context: a stranger may have sent its value, and a longer one be refused."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

_tracer = trace.get_tracer("django_introspection", __version__)
_duration = metrics.get_meter("django_introspection", __version__).create_histogram(
    "http.client.request.duration",
    unit="s",
    description="Duration of HTTP client requests.",
    explicit_bucket_boundaries_advisory=_BOUNDARIES,
)


def observe() -> None:
    """Observe each request from now on; calling it again changes nothing."""
    instrumentation.around = ObservedSend


class ObservedSend(Step[Reply]):
    """Send a request within a span: a child of the current one of the caller that asks."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request, self._send = request, send

    def run(self) -> Reply:
        """Send it in this thread."""
        with _observed(self._request) as call:
            call.reply = self._send(call.request).run()
        return call.reply

    async def arun(self) -> Reply:
        """Send it on the running event loop."""
        with _observed(self._request) as call:
            call.reply = await self._send(call.request).arun()
        return call.reply


class _Call:
    reply: Reply

    def __init__(self, request: Request) -> None:
        self.request = request


@contextmanager
def _observed(request: Request) -> Iterator[_Call]:
    """Observe one request; neither its headers and body nor those of the reply are looked at."""
    where = _where(request)
    with _tracer.start_as_current_span(
        request.method,
        kind=SpanKind.CLIENT,
        attributes={**where, "url.full": _without_secrets(request.url)},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        call, began, ending = _Call(_with_trace_context(request)), perf_counter(), dict[str, str | int]()
        try:
            yield call
            ending = {"http.response.status_code": call.reply.status}
            if call.reply.status >= 400:
                ending["error.type"] = str(call.reply.status)
        except BaseException as error:
            ending = {"error.type": type(error.__context__ or error).__name__}
            raise
        finally:
            span.set_attributes(ending)
            if "error.type" in ending:
                span.set_status(StatusCode.ERROR)
            _duration.record(perf_counter() - began, {**where, **ending})


def _where(request: Request) -> dict[str, str | int]:
    url = urlsplit(request.url)
    return {
        "http.request.method": request.method,
        "server.address": url.hostname or "",
        "server.port": url.port or _DEFAULT_PORTS.get(url.scheme, 0),
    }


def _without_secrets(url: str) -> str:
    """Return a URL without user information and query, which may hold credentials."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _with_trace_context(request: Request) -> Request:
    """Return a request with the headers of the propagators.

    Baggage stays here: it is meant for the services of this project. What a stranger has put into the trace must not
    make the server refuse the request, so a value of unusual size or characters stays here as well.
    """
    headers: dict[str, str] = {}
    propagate.inject(headers, baggage.clear())
    usable = {
        name: value
        for name, value in headers.items()
        if len(value) <= LONGEST_HEADER and value.isascii() and value.isprintable()
    }
    return replace(request, headers={**usable, **request.headers})
