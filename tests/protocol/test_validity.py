from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.answer import Reason
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.protocol.validity import invalid_reason

ISSUER = "https://auth.example.com"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, None),
        ({"exp": 1000 - 29, "nbf": 1000 + 30, "iss": ISSUER}, None),
        ({"exp": 1000 - 30}, Reason.EXPIRED),
        ({"nbf": 1000 + 31}, Reason.NOT_YET_VALID),
        ({"iss": "https://other.example.com"}, Reason.WRONG_ISSUER),
    ],
)
def test_a_token_is_valid_within_its_times_and_of_its_issuer(members: dict[str, Any], reason: Reason | None) -> None:
    assert invalid_reason(TokenInfo(members), issuer=ISSUER, now=1000, leeway=30) is reason
    if reason is Reason.WRONG_ISSUER:
        assert invalid_reason(TokenInfo(members), issuer=None, now=1000, leeway=30) is None
