"""Counters and gauges, fed by the signals; the span of the request that is answered gets the same attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

from ... import __version__, signals
from ...protocol.answer import Answer

BACKEND, SERVICE = "introspection.backend", "introspection.service"
OUTCOME, SOURCE = "introspection.outcome", "introspection.source"
ACTIVE, UNAVAILABLE = "active", "unavailable"

_meter = metrics.get_meter("django_introspection", __version__)
_validations = _meter.create_counter(
    "introspection.validations",
    unit="{validation}",
    description="Tokens that this resource server validated, by backend and outcome.",
)
_answers = _meter.create_counter(
    "introspection.answers",
    unit="{answer}",
    description="Answers of another server, by backend and source: the server or what was kept of it.",
)
_introspections = _meter.create_counter(
    "introspection.endpoint.answers",
    unit="{answer}",
    description="Answers of the introspection endpoint, by outcome.",
)
_ended = _meter.create_counter(
    "introspection.feed.changes",
    unit="{change}",
    description="Changes that came by the feed of revocations, by backend.",
)
_feeds: dict[str, bool] = {}
"""Whether the feed of a backend is fresh."""
_circuits: dict[tuple[str, str], bool] = {}
"""Whether the circuit of a backend or service is open."""


def connect() -> None:
    """Connect the counters to the signals; calling it again changes nothing."""
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, dispatch_uid=f"opentelemetry.{receiver.__qualname__}")


def _token_validated(backend: str, answer: Answer | None, **_: Any) -> None:
    outcome = UNAVAILABLE if answer is None else _outcome(answer)
    _count(_validations, {BACKEND: backend, OUTCOME: outcome})


def _token_answered(backend: str, source: str, **_: Any) -> None:
    if source == "server":
        _circuits[BACKEND, backend] = False
    _count(_answers, {BACKEND: backend, SOURCE: source})


def _token_introspected(answer: Answer, **_: Any) -> None:
    _introspections.add(1, {OUTCOME: _outcome(answer)})


def _circuit_changed(backend: str | None, service: str | None, is_open: bool, **_: Any) -> None:
    _circuits[(SERVICE, service or "") if backend is None else (BACKEND, backend)] = is_open


def _revocations_received(backend: str, count: int, **_: Any) -> None:
    _ended.add(count, {BACKEND: backend})


def _feed_changed(backend: str, is_fresh: bool, **_: Any) -> None:
    _feeds[backend] = is_fresh


def _count(counter: metrics.Counter, attributes: Mapping[str, str]) -> None:
    counter.add(1, attributes)
    trace.get_current_span().set_attributes(attributes)


def _outcome(answer: Answer) -> str:
    """Return the reason of a token that is inactive or rejected: a word for each, so that there are few."""
    return ACTIVE if answer else str(answer.reason)


def _observe_circuits(_: CallbackOptions) -> Iterator[Observation]:
    for (kind, alias), is_open in list(_circuits.items()):
        yield Observation(int(is_open), {kind: alias})


def _observe_feeds(_: CallbackOptions) -> Iterator[Observation]:
    for alias, is_fresh in list(_feeds.items()):
        yield Observation(int(is_fresh), {BACKEND: alias})


_meter.create_observable_gauge(
    "introspection.circuit.open",
    callbacks=[_observe_circuits],
    unit="1",
    description="1 while a server is not asked because it did not answer, else 0.",
)
_meter.create_observable_gauge(
    "introspection.feed.fresh",
    callbacks=[_observe_feeds],
    unit="1",
    description="1 while the feed of revocations of a backend is fresh, 0 while it is late.",
)
_RECEIVERS = (
    (signals.token_validated, _token_validated),
    (signals.token_answered, _token_answered),
    (signals.token_introspected, _token_introspected),
    (signals.circuit_changed, _circuit_changed),
    (signals.revocations_received, _revocations_received),
    (signals.feed_changed, _feed_changed),
)
