"""The person or the client that a token names, and what happens if it names neither."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.principal import Kind, Principal, principal_of
from django_introspection.protocol.token_info import TokenInfo

DIGEST = b"\x01" * 32
ITSELF = Principal(Kind.TOKEN, DIGEST.hex())


@pytest.mark.parametrize(
    ("members", "principal"),
    [
        ({"sub": "1", "client_id": "shop"}, Principal(Kind.SUBJECT, "1")),
        ({"sub": "shop", "client_id": "shop"}, Principal(Kind.CLIENT, "shop")),
        ({"client_id": "shop"}, Principal(Kind.CLIENT, "shop")),
        ({"client_id": "shop", "username": "alice"}, Principal(Kind.USERNAME, "alice")),
        ({"username": "alice"}, Principal(Kind.USERNAME, "alice")),
        ({"sub": "1", "username": "alice"}, Principal(Kind.SUBJECT, "1")),
        ({"sub": "1", "gty": "client-credentials"}, Principal(Kind.SUBJECT, "1")),
        ({"gty": "client-credentials"}, ITSELF),
        ({"username": 7}, ITSELF),
        ({"username": ["alice"]}, ITSELF),
        ({"username": ""}, ITSELF),
        ({}, ITSELF),
    ],
)
def test_a_token_names_a_subject_a_client_or_itself_alone(members: dict[str, Any], principal: Principal) -> None:
    assert principal_of(TokenInfo(members), DIGEST) == principal
