"""The admin of streams of security events, as an operator uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from django_introspection.security_events.models import ReceivedStream, SentStream
from tests.security_events.streams import received_streams, sent_streams

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]

RECEIVED = "/admin/introspection_events/receivedstream/"
SENT = "/admin/introspection_events/sentstream/"
Examine = Callable[[str], None]


def test_an_operator_adds_a_stream_to_receive(page: Any, examine: Examine) -> None:
    page.goto(f"{RECEIVED}add/")
    examine("received-stream-add")

    page.get_by_label("Issuer:").fill("https://id.example.com/realms/shop")
    page.get_by_label("Audience:").fill("https://api.example.com/events")
    page.get_by_label("Key set:").fill("https://id.example.com/realms/shop/certs")
    page.get_by_label("Authorization:").fill('{"ENV": "SECRET_KEY"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("whose name begins with SECURITY_EVENTS_")).to_be_visible()
    examine("received-stream-refused")

    page.get_by_label("Authorization:").fill('{"ENV": "SECURITY_EVENTS_SHOP"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="https://id.example.com/realms/shop", exact=True)).to_be_visible()
    assert ReceivedStream.objects.get().authorization == {"ENV": "SECURITY_EVENTS_SHOP"}


def test_an_operator_sees_what_a_received_stream_does(page: Any, examine: Examine) -> None:
    stream = received_streams()[0]
    page.goto(RECEIVED)
    examine("received-streams")

    page.get_by_role("link", name=stream.issuer).first.click()
    expect(page.get_by_text(stream.last_failure)).to_be_visible()
    examine("received-stream")


def test_an_operator_adds_a_stream_to_send(page: Any, examine: Examine) -> None:
    page.goto(f"{SENT}add/")
    page.get_by_label("Audience:").fill("https://shop.example.com/events")
    page.get_by_label("Delivery:").select_option(label="Poll (RFC 8936)")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("A receiver that polls must be authorized.")).to_be_visible()
    examine("sent-stream-refused")

    page.get_by_label("Authorization:").fill('{"ENV": "SECURITY_EVENTS_SHOP"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="https://shop.example.com/events", exact=True)).to_be_visible()
    assert SentStream.objects.get().delivery == SentStream.Delivery.POLL


def test_an_operator_sees_what_a_sent_stream_does(page: Any, examine: Examine) -> None:
    stream = sent_streams()[0]
    page.goto(SENT)
    examine("sent-streams")

    page.get_by_role("link", name=stream.audience).first.click()
    expect(page.get_by_text(stream.last_failure)).to_be_visible()
    expect(page.get_by_text(str(stream.identifier))).to_be_visible()
    examine("sent-stream")
