"""Streams in several states, as an operator meets them in the admin."""

from __future__ import annotations

from time import time
from typing import Any
from uuid import UUID

from django_introspection.security_events.models import ReceivedStream, SentEvent, SentStream

EVENTS = "https://api.example.com/events"


def received_streams() -> list[ReceivedStream]:
    """Make a stream that had a failure, one of logout tokens, and one that is polled and has had no event."""
    at = int(time())
    rows: list[dict[str, Any]] = [
        {
            "issuer": "https://id.example.com/realms/shop",
            "audience": EVENTS,
            "description": "Shop",
            "authorization": {"ENV": "SECURITY_EVENTS_SHOP"},
            "last_event_at": at - 90,
            "last_delay": 2,
            "count": 1204,
            "failures": 3,
            "last_failure_at": at - 86400,
            "last_failure": "invalid_request: the claim exp must not be in a security event token",
            "last_verified_at": at - 3600,
            "status": "enabled",
        },
        {
            "issuer": "https://login.example.com",
            "audience": "orders-web",
            "description": "Staff",
            "delivery": ReceivedStream.Delivery.LOGOUT,
            "last_event_at": at - 7200,
            "last_delay": 0,
            "count": 87,
        },
        {
            "issuer": "https://partner.example.com",
            "audience": EVENTS,
            "description": "Partner",
            "delivery": ReceivedStream.Delivery.POLL,
            "poll_url": "https://partner.example.com/poll",
        },
    ]
    return [ReceivedStream.objects.create(jwks_uri=f"{row['issuer']}/jwks", **row) for row in rows]


def sent_streams() -> list[SentStream]:
    """Make a stream whose receiver fails while an event waits, and one that is polled."""
    at = int(time())
    failing = SentStream.objects.create(
        audience="https://depot.example.com/events",
        identifier=UUID(int=7662),
        description="Depot",
        endpoint_url="https://depot.example.com/events",
        last_event_at=at - 5400,
        last_delay=1,
        count=412,
        failures=9,
        last_failure_at=at - 20,
        last_failure="depot.example.com answers 500",
    )
    polled = SentStream.objects.create(
        audience="https://shop.example.com/events",
        identifier=UUID(int=9068),
        description="Shop",
        delivery=SentStream.Delivery.POLL,
        authorization={"ENV": "SECURITY_EVENTS_SHOP"},
        last_event_at=at - 40,
        last_delay=3,
        count=398,
    )
    SentEvent.objects.create(stream=failing, name="token", claims={}, created_at=at, expires_at=at + 3600)
    return [failing, polled]
