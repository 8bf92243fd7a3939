from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.answer import Active, Inactive
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.introspection import parse_response, render_response
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, UNICODE, json_values, plain_values

JSON = "application/json"
NAMES = ["scope", "client_id", "username", "token_type", "sub", "iss", "jti", "exp", "iat", "nbf", "aud", "cnf"]


def use(answer: Active) -> None:
    """Do with an answer what the rest of the package does with it."""
    info = answer.info
    assert info["active"] is True
    for name in ("scopes", "audiences", "expires_at", "issued_at", "not_before", "confirmation", "is_access_token"):
        getattr(info, name)
    json.dumps(info.to_dict(), allow_nan=False, ensure_ascii=False).encode()


def read(content_type: str, body: bytes) -> None:
    answer = outcome(lambda: parse_response(content_type, body), InvalidResponse)
    assert isinstance(answer, (Active, Inactive, InvalidResponse))
    if isinstance(answer, Active):
        use(answer)


@given(st.sampled_from([JSON, "text/html"]) | st.text(), st.binary())
def test_any_bytes_are_an_answer_or_no_response(content_type: str, body: bytes) -> None:
    read(content_type, body)


@given(json_values())
def test_any_json_value_is_an_answer_or_no_response(value: Any) -> None:
    read(JSON, json.dumps(value).encode())


@given(st.dictionaries(st.sampled_from(NAMES) | ANY_TEXT, json_values()))
def test_an_active_answer_with_any_members_can_be_used_or_is_no_response(members: dict[str, Any]) -> None:
    read(JSON, json.dumps({**members, "active": True}).encode())


@given(st.integers(1, 3000), st.sampled_from([("[", "]"), ('{"a":', "}")]))
def test_any_depth_can_be_used_or_is_no_response(depth: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    read(JSON, f'{{"active":true,"custom":{opening * depth}1{closing * depth}}}'.encode())


@given(st.integers(1, 6000))
def test_a_number_of_any_length_can_be_used_or_is_no_response(digits: int) -> None:
    read(JSON, b'{"active":true,"exp":%s,"custom":%s}' % (b"1", b"9" * digits))
    read(JSON, b'{"active":true,"exp":%s}' % (b"9" * digits))


@given(st.dictionaries(UNICODE.filter(lambda name: name not in NAMES), plain_values()))
def test_what_one_end_sends_the_other_reads(members: dict[str, Any]) -> None:
    present = {name: value for name, value in members.items() if value is not None} | {"active": True}

    answer = parse_response(JSON, json.dumps(present).encode())

    assert render_response(answer) == present
