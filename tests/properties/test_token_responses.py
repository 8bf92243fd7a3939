"""Responses of a token endpoint (RFC 6749 §5, RFC 8693 §2.2): a token that a header can hold, or an error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.exceptions import IntrospectionError
from django_introspection.outbound.messages import Reply
from django_introspection.outbound.token_response import Issued, read_exchanged, read_token
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, json_values, mutations

GOOD = {"access_token": "abc", "token_type": "Bearer", "expires_in": 60, "scope": "a b"}
NAMES = st.sampled_from([*GOOD, "issued_token_type", "error"]) | ANY_TEXT
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 404, 429, 500, 503])
NOW = 1_767_225_600


def check(reply: Reply) -> None:
    """Read a reply as that of either request, and use the token."""
    own = outcome(lambda: read_token(reply, asked_at=NOW, scope="a"), IntrospectionError)
    exchanged = outcome(
        lambda: read_exchanged(reply, asked_at=NOW, scope=None, requested_type=None), IntrospectionError
    )
    for issued in (own, exchanged):
        if isinstance(issued, Issued):
            assert reply.status == 200
            value = json.loads(reply.body)["access_token"]
            assert issued.token.headers == {"Authorization": f"Bearer {value}"}
            assert value.isascii()
            assert value.isprintable()
            assert " " not in value
            assert issued.lifetime is None or issued.lifetime > 0


@given(STATUSES, st.binary())
def test_any_bytes_are_an_error(status: int, body: bytes) -> None:
    check(Reply(status, {}, body))


@given(STATUSES, st.data())
def test_a_changed_response_is_a_token_or_an_error(status: int, data: Any) -> None:
    check(Reply(status, {}, data.draw(mutations(json.dumps(GOOD))).encode("utf-8", "replace")))


@given(STATUSES, st.dictionaries(NAMES, json_values()))
def test_members_of_any_kind_are_a_token_or_an_error(status: int, changes: dict[str, Any]) -> None:
    check(Reply(status, {}, json.dumps({**GOOD, **changes}).encode()))


@given(ANY_TEXT)
def test_a_token_of_another_type_than_requested_is_an_error(issued_type: str) -> None:
    requested = "urn:ietf:params:oauth:token-type:access_token"
    reply = Reply(200, {}, json.dumps({**GOOD, "issued_token_type": issued_type}).encode())

    found = outcome(
        lambda: read_exchanged(reply, asked_at=NOW, scope=None, requested_type=requested), IntrospectionError
    )

    assert isinstance(found, IntrospectionError)
