"""What the SDK of OpenTelemetry gets to see: run by `test_opentelemetry.py` in a process of its own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from asgiref.sync import async_to_sync
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, TraceState

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import breaker
from django_introspection.contrib.opentelemetry import metrics as our_metrics
from django_introspection.contrib.opentelemetry.requests import LONGEST_HEADER
from django_introspection.exceptions import IntrospectionUnavailable
from tests import endpoints, factories
from tests.authorization_server.helpers import introspecting_client
from tests.backends.feed_server import FeedServer, until
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import CLIENT_SECRET, MisbehavingServer, refusing_url, remote_settings
from tests.resource_server.protected import ask, protect

TOKEN = "dit-a-token-that-nobody-may-see"
EXPORTER, READER = InMemorySpanExporter(), InMemoryMetricReader()
PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
trace.set_tracer_provider(PROVIDER)
metrics.set_meter_provider(MeterProvider([READER]))
tracer = trace.get_tracer("tests")

CALLS = pytest.mark.parametrize(
    "call",
    [introspect, lambda token: asyncio.run(aintrospect(token)), async_to_sync(aintrospect)],
    ids=["sync", "async", "short-lived loop"],
)


@pytest.fixture(autouse=True)
def _nothing_before() -> Iterator[None]:
    EXPORTER.clear()
    READER.get_metrics_data()
    our_metrics._circuits.clear()
    our_metrics._feeds.clear()
    yield
    token_backends.close()


@pytest.fixture
def counted() -> Any:
    """Return a function that returns how much each point of a counter has grown in this test, by its attributes."""
    before = {name: points(name) for name in ("validations", "answers", "endpoint.answers", "feed.changes")}

    def grown(name: str) -> dict[tuple[str, ...], int]:
        return {key: n - before[name].get(key, 0) for key, n in points(name).items() if n != before[name].get(key, 0)}

    return grown


def data_points(name: str) -> Iterator[Any]:
    found = READER.get_metrics_data()
    for resource in found.resource_metrics if found else ():
        for scope in resource.scope_metrics:
            assert scope.scope.name == "django_introspection"
            for metric in scope.metrics:
                if metric.name == name:
                    yield from metric.data.data_points


def points(name: str) -> dict[tuple[str, ...], int]:
    return {tuple(point.attributes.values()): point.value for point in data_points(f"introspection.{name}")}


def spans() -> list[ReadableSpan]:
    return [span for span in EXPORTER.get_finished_spans() if span.kind is SpanKind.CLIENT]


def durations(server: MisbehavingServer) -> list[Any]:
    """Return the points of the histogram for one server: each test has a server, and a port, of its own."""
    port = urlsplit(server.origin).port
    return [each for each in data_points("http.client.request.duration") if each.attributes["server.port"] == port]


@CALLS
def test_the_question_is_a_span_of_the_caller_and_the_server_learns_of_it(
    call: Any, authorization_server: MisbehavingServer
) -> None:
    with tracer.start_as_current_span("view") as view:
        assert call(TOKEN)

    (span,) = spans()
    url = urlsplit(authorization_server.url)
    assert (span.name, span.kind, span.status.status_code) == ("POST", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.parent == view.get_span_context()
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "server.address": url.hostname,
        "server.port": url.port,
        "url.full": authorization_server.url,
        "http.response.status_code": 200,
    }
    (request,) = authorization_server.requests
    ids = span.get_span_context()
    assert request.headers["traceparent"] == f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"
    (duration,) = durations(authorization_server)
    assert duration.count == 1
    assert duration.explicit_bounds[:2] == (0.005, 0.01)
    assert dict(duration.attributes) == {
        "http.request.method": "POST",
        "server.address": url.hostname,
        "server.port": url.port,
        "http.response.status_code": 200,
    }


def test_neither_the_token_nor_a_secret_nor_a_query_is_in_what_is_exported(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    url = f"{authorization_server.url}?api-key=key-of-the-gateway"
    settings.TOKEN_INTROSPECTION = remote_settings(url, headers={"X-Gateway": "header-of-the-gateway"})
    with tracer.start_as_current_span("view"):
        assert introspect(TOKEN)
        authorization_server.behave("status 500")
        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    found = READER.get_metrics_data()
    exported = "".join(span.to_json() for span in EXPORTER.get_finished_spans()) + (found.to_json() if found else "")
    assert authorization_server.url in exported
    for secret in (TOKEN, CLIENT_SECRET, "key-of-the-gateway", "header-of-the-gateway"):
        assert secret not in exported


def test_an_error_of_the_server_is_one_of_the_span(authorization_server: MisbehavingServer, counted: Any) -> None:
    authorization_server.behave("status 500")

    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)

    (span,) = spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.events == ()
    assert {"http.response.status_code": 500, "error.type": "500"}.items() <= dict(span.attributes or {}).items()
    (duration,) = durations(authorization_server)
    assert duration.attributes["error.type"] == "500"
    assert counted("validations") == {("default", "unavailable"): 1}


def test_each_try_to_reach_a_server_that_is_down_is_a_span(settings: Any, counted: Any) -> None:
    with refusing_url() as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url)
        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    assert [span.attributes and span.attributes["error.type"] for span in spans()] == ["ConnectError"] * 2
    assert all("http.response.status_code" not in (span.attributes or {}) for span in spans())
    assert counted("validations") == {("default", "unavailable"): 1}
    assert counted("answers") == {}


def test_a_call_that_is_cancelled_ends_its_span(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("hangs before the answer")

    async def give_up() -> None:
        task = asyncio.create_task(aintrospect(TOKEN))
        while not authorization_server.requests:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())

    (span,) = spans()
    assert (span.attributes or {})["error.type"] == "CancelledError"


@CALLS
def test_validations_are_counted_by_what_this_resource_server_decides(
    call: Any, authorization_server: MisbehavingServer, counted: Any, settings: Any
) -> None:
    assert call(TOKEN)
    authorization_server.behave("inactive")
    assert call(TOKEN) is None
    authorization_server.behave("active", aud="https://elsewhere.example.com")
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience="https://api.example.com")
    assert call(TOKEN) is None

    assert counted("validations") == {
        ("default", "active"): 1,
        ("default", "the authorization server says inactive"): 1,
        ("default", "wrong audience"): 1,
    }


def test_the_span_of_a_view_shows_what_was_decided(authorization_server: MisbehavingServer) -> None:
    with tracer.start_as_current_span("view"):
        ask(protect(), TOKEN)

    (view,) = (span for span in EXPORTER.get_finished_spans() if span.name == "view")
    assert dict(view.attributes or {}) == {
        "introspection.backend": "default",
        "introspection.outcome": "active",
        "introspection.source": "server",
    }


@pytest.mark.django_db
def test_tokens_of_the_database_are_counted_without_a_span(counted: Any) -> None:
    token = factories.TokenFactory(user=factories.UserFactory()).access_token

    assert introspect(token)
    assert introspect("unknown") is None

    assert counted("validations") == {("default", "active"): 1, ("default", "unknown"): 1}
    assert spans() == []


def test_the_keys_of_an_issuer_are_fetched_in_a_span(
    authorization_server: MisbehavingServer, counted: Any, settings: Any
) -> None:
    publish(authorization_server, public())
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(authorization_server.origin)}}

    assert introspect(access_token(authorization_server.origin))

    assert [span.name for span in spans()] == ["GET"] * len(authorization_server.requests)
    assert counted("validations") == {("default", "active"): 1}


def test_answers_are_counted_by_source(authorization_server: MisbehavingServer, counted: Any, settings: Any) -> None:
    values = authorization_server.settings()
    values["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 60, "STALE_IF_ERROR": 60, "LOCAL_MAX_AGE": 10}
    settings.TOKEN_INTROSPECTION = values
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        assert introspect(TOKEN)
        assert introspect(TOKEN)
        clock.shift(20)
        assert introspect(TOKEN)
        authorization_server.behave("status 500")
        clock.shift(60)
        assert introspect(TOKEN)

    assert counted("answers") == {("default", source): 1 for source in ("server", "stale", "cache", "local")}
    assert counted("validations") == {("default", "active"): 4}


def test_callers_that_share_a_question_are_counted_and_the_span_belongs_to_the_one_that_asks(
    authorization_server: MisbehavingServer, counted: Any
) -> None:
    told = threading.Event()
    authorization_server.behave("answers when told", told=told)

    async def view(number: int) -> Any:
        with tracer.start_as_current_span(f"view {number}"):
            return await aintrospect(TOKEN)

    async def many() -> list[Any]:
        tasks = [asyncio.create_task(view(number)) for number in range(10)]
        while not authorization_server.requests:  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        told.set()
        return await asyncio.gather(*tasks)

    assert all(asyncio.run(many()))
    views = {span.get_span_context().span_id: span.name for span in EXPORTER.get_finished_spans()}
    askers = [views[span.parent.span_id] for span in spans() if span.parent]
    assert askers[0] == "view 0"
    assert len(set(askers)) == len(authorization_server.requests) == 2
    assert counted("answers") == {("default", "server"): 2, ("default", "shared"): 8}
    assert counted("validations") == {("default", "active"): 10}


def test_threads_keep_their_own_traces(authorization_server: MisbehavingServer) -> None:
    def view(number: int) -> None:
        with tracer.start_as_current_span(f"view {number}"):
            assert introspect(f"token-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: contextvars.Context().run(view, number), range(8)))

    traces = {span.get_span_context().trace_id for span in spans()}
    assert len(traces) == len(spans()) == 8


def test_the_gauge_shows_an_open_circuit_until_it_closes(
    authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr(breaker, "monotonic", lambda: moment[0])
    assert introspect(TOKEN)
    assert points("circuit.open") == {("default",): 0}
    authorization_server.behave("closes before the answer")
    for number in range(breaker.FAILURES + 1):
        with pytest.raises(IntrospectionUnavailable):
            introspect(f"token-{number}")
    assert points("circuit.open") == {("default",): 1}
    authorization_server.behave("active")
    moment[0] += breaker.OPEN
    assert introspect(TOKEN)

    assert points("circuit.open") == {("default",): 0}


def test_the_feed_counts_its_changes_and_shows_whether_it_is_fresh(settings: Any, counted: Any) -> None:
    with FeedServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        assert introspect(TOKEN)
        until(lambda: points("feed.fresh") == {("default",): 1})
        server.end("a")
        server.end("b")
        until(lambda: counted("feed.changes") == {("default",): 2})

        server.fault = lambda: (503, None, {})
        until(lambda: points("feed.fresh") == {("default",): 0})
        token_backends.close()


@pytest.mark.django_db
def test_the_endpoint_counts_its_answers(counted: Any) -> None:
    caller, token = introspecting_client(), factories.TokenFactory(user=factories.UserFactory()).access_token

    endpoints.introspect(token, auth=caller)
    endpoints.introspect("unknown", auth=caller)

    assert counted("endpoint.answers") == {("active",): 1, ("unknown",): 1}


def test_what_a_stranger_has_put_into_the_trace_does_not_reach_the_server(
    authorization_server: MisbehavingServer,
) -> None:
    state = TraceState([("vendor", "x" * 256), ("other", "y" * 256)])
    incoming = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(incoming)))
    try:
        context.attach(baggage.set_baggage("user", "ada"))
        assert introspect(TOKEN)
    finally:
        context.detach(token)

    (request,) = authorization_server.requests
    assert len(state.to_header()) > LONGEST_HEADER
    assert request.headers["traceparent"].startswith(f"00-{1:032x}-")
    assert "tracestate" not in request.headers
    assert "baggage" not in request.headers
