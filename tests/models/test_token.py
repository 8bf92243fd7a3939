from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from django_introspection.models import Client, Token
from django_introspection.protocol.answer import Reason
from tests import factories

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def token(**changes: Any) -> Token:
    parts = {"client": Client(), "issued_at": NOW, "expires_at": NOW + SECOND, **changes}
    return Token(kind="access", digest=b"", **parts)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"expires_at": NOW}, Reason.EXPIRED),
        ({"expires_at": NOW - SECOND}, Reason.EXPIRED),
        ({"not_before": NOW}, None),
        ({"not_before": NOW + SECOND}, Reason.NOT_YET_VALID),
        ({"revoked_at": NOW}, Reason.REVOKED),
        ({"revoked_at": NOW + timedelta(days=9)}, Reason.REVOKED),
        ({"client": Client(is_active=False)}, Reason.CLIENT_INACTIVE),
        ({"user": factories.UserFactory.build(is_active=False)}, Reason.USER_INACTIVE),
        ({"user": factories.UserFactory.build()}, None),
    ],
    ids=[
        "no reason",
        "at its expiry",
        "after its expiry",
        "from its not before",
        "before its not before",
        "revoked",
        "revoked by a clock ahead",
        "client inactive",
        "user inactive",
        "user active",
    ],
)
def test_a_token_is_good_unless_there_is_a_reason(changes: dict[str, Any], reason: Reason | None) -> None:
    assert token(**changes).inactive_reason(NOW) == reason
