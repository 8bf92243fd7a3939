"""The rows of streams: their admin, and the checks that find what makes them useless."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ValidationError
from django.urls import reverse

from django_introspection.security_events.models import ReceivedStream, SentStream
from tests.security_events.transmitter import Transmitter, push

RECEIVED = "admin:introspection_events_receivedstream"
SENT = "admin:introspection_events_sentstream"
FORM = {
    "issuer": "https://id.example",
    "audience": "https://api.example.com/events",
    "is_active": "on",
    "delivery": "push",
    "jwks_uri": "https://id.example/jwks",
    "authorization": "",
}


def test_an_operator_adds_a_stream_and_sees_its_last_event(transmitter: Transmitter, admin_client: Any) -> None:
    form = {**FORM, "issuer": transmitter.issuer, "jwks_uri": f"{transmitter.issuer}/jwks"}
    assert admin_client.post(reverse(f"{RECEIVED}_add"), form).status_code == 302
    assert push(transmitter.event()).status_code == 202
    assert push(transmitter.event(exp=1)).status_code == 400
    stream = ReceivedStream.objects.get()

    shown = admin_client.get(reverse(f"{RECEIVED}_changelist")).content.decode()
    page = admin_client.get(reverse(f"{RECEIVED}_change", args=[stream.pk])).content.decode()

    assert '<td class="field-failures">1</td>' in shown
    assert "invalid_request: the claim exp must not be in a security event token" in page
    assert stream.authorization is None


@pytest.mark.parametrize("model", [RECEIVED, SENT])
def test_a_new_stream_has_no_state_yet(admin_client: Any, model: str) -> None:
    page = admin_client.get(reverse(f"{model}_add")).content.decode()

    assert "Last failure" not in page
    assert "None" not in page


def test_the_times_of_a_stream_are_in_utc_and_a_dash_if_there_are_none(admin_client: Any) -> None:
    values = {"issuer": "https://id.example", "audience": "api", "jwks_uri": "https://id.example/jwks"}
    stream = ReceivedStream.objects.create(**values, last_event_at=1_796_000_000)

    shown = admin_client.get(reverse(f"{RECEIVED}_changelist")).content.decode()
    page = admin_client.get(reverse(f"{RECEIVED}_change", args=[stream.pk])).content.decode()

    assert '<time datetime="2026-11-30T00:53:20+00:00"' in shown
    assert '<time datetime="2026-11-30T00:53:20+00:00"' in page
    assert '<td class="field-delay">-</td>' in shown
    assert "None" not in page


def test_an_operator_adds_a_stream_to_send(admin_client: Any) -> None:
    form = {"audience": "shop", "is_active": "on", "delivery": "push", "endpoint_url": "https://shop.example/events"}
    assert admin_client.post(reverse(f"{SENT}_add"), {**form, "authorization": ""}).status_code == 302

    shown = admin_client.get(reverse(f"{SENT}_changelist")).content.decode()

    assert "shop" in shown
    assert admin_client.get(reverse(f"{SENT}_change", args=[SentStream.objects.get().pk])).status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issuer": "http://id.example?a=b"}, "issuer"),
        ({"jwks_uri": "http://id.example/jwks"}, "jwks_uri"),
        ({"delivery": "poll"}, "poll_url"),
        ({"poll_url": "ftp://id.example"}, "poll_url"),
        ({"authorization": {"ENV": "SECRET_KEY"}}, "authorization"),
        ({"authorization": {"FILE": "/etc/passwd"}}, "authorization"),
        ({"authorization": "Bearer secret"}, "authorization"),
        ({"authorization": {"ENV": "SECURITY_EVENTS_A", "FILE": "b"}}, "authorization"),
    ],
)
@pytest.mark.django_db
def test_a_row_that_cannot_be_used_is_refused(changes: Any, field: str) -> None:
    values = {"issuer": "https://id.example", "audience": "api", "jwks_uri": "https://id.example/jwks", **changes}

    with pytest.raises(ValidationError) as problem:
        ReceivedStream(**values).full_clean()

    assert list(problem.value.message_dict) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"endpoint_url": ""}, "endpoint_url"),
        ({"endpoint_url": "http://shop.example"}, "endpoint_url"),
        ({"delivery": "poll", "endpoint_url": ""}, "authorization"),
    ],
)
@pytest.mark.django_db
def test_a_row_of_a_receiver_that_cannot_be_reached_is_refused(changes: Any, field: str) -> None:
    with pytest.raises(ValidationError) as problem:
        SentStream(**{"audience": "shop", "endpoint_url": "https://shop.example", **changes}).full_clean()

    assert list(problem.value.message_dict) == [field]


def found() -> list[str]:
    messages = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return [message.id or "" for message in messages if (message.id or "").endswith(("E080", "E081", "W080"))]


def test_a_stream_in_order_has_no_message(transmitter: Transmitter) -> None:
    assert found() == []
    transmitter.stream()
    assert found() == []


def test_a_stream_without_a_cache_is_an_error(transmitter: Transmitter, settings: Any) -> None:
    transmitter.stream()
    settings.TOKEN_INTROSPECTION = {}

    assert "introspection.E080" in found()


def test_a_stream_whose_secret_is_not_there_is_an_error(
    transmitter: Transmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECURITY_EVENTS_TEST", raising=False)
    transmitter.stream(authorization={"ENV": "SECURITY_EVENTS_TEST"})
    SentStream.objects.create(audience="shop", authorization={"FILE": "/nowhere/security_events_test"})

    assert found() == ["introspection.E081"] * 2


def test_a_stream_that_no_backend_reads_is_a_warning(transmitter: Transmitter) -> None:
    transmitter.stream(issuer="https://other.example")
    transmitter.stream(issuer="https://third.example", is_active=False)

    assert found() == ["introspection.W080"]
