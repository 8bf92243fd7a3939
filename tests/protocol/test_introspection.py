from __future__ import annotations

import json
from typing import Any

import pytest

from django_introspection.protocol.answer import Active, Inactive, Reason
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.introspection import build_request, parse_response, render_response
from django_introspection.protocol.token_info import TokenInfo

JSON = "application/json"
YEAR_9999 = 253_402_300_799


def parse(members: Any, content_type: str = JSON) -> Active | Inactive:
    return parse_response(content_type, members if isinstance(members, bytes) else json.dumps(members).encode())


def is_no_answer(members: Any, content_type: str = JSON) -> bool:
    with pytest.raises(InvalidResponse):
        parse(members, content_type)
    return True


def test_a_request_asks_about_an_access_token() -> None:
    assert build_request("abc") == {"token": "abc", "token_type_hint": "access_token"}


def test_an_active_answer_keeps_every_member_as_it_came() -> None:
    members = {"active": True, "scope": "a b", "aud": ["x", "y"], "exp": 1.5, "cnf": {"jkt": "k"}, "custom": [1, {}]}

    answer = parse(members)

    assert isinstance(answer, Active)
    assert answer.info.to_dict() == members
    assert answer.user is None


def test_of_an_inactive_answer_nothing_else_is_believed() -> None:
    assert parse({"active": False, "sub": "a", "exp": "nonsense"}) == Inactive(Reason.INACTIVE)


@pytest.mark.parametrize("active", ["true", "false", 1, 0, None, [], {}, "True"])
def test_active_is_a_json_boolean_or_the_server_is_broken(active: Any) -> None:
    assert is_no_answer({"active": active})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"true",
        b'"active"',
        b"null",
        b"1",
        b"<html></html>",
        b'{"active":true',
        b'{"active":true}}',
        b"\xff",
        b'{"active":true}'.decode().encode("utf-16"),
    ],
)
def test_what_is_not_a_json_object_in_utf_8_is_no_answer(body: bytes) -> None:
    assert is_no_answer(body)


@pytest.mark.parametrize(
    "content_type",
    [JSON, "Application/JSON", "application/json; charset=utf-8", "application/json ;", "", "text/plain", "text/json"],
)
def test_json_is_read_if_its_media_type_names_nothing_else(content_type: str) -> None:
    assert parse({"active": True}, content_type)


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse(b"\xef\xbb\xbf" + b'{"active":true}')
    assert is_no_answer(b"\xef\xbb\xbf" * 2 + b'{"active":true}')


@pytest.mark.parametrize(
    "content_type", ["text/html; charset=utf-8", "application/jwt", "application/token-introspection+JWT"]
)
def test_a_page_and_a_signed_response_are_no_answer(content_type: str) -> None:
    assert is_no_answer({"active": True}, content_type)


@pytest.mark.parametrize(
    "body",
    [
        b'{"active":false,"active":true}',
        b'{"active":true,"aud":"a","aud":"b"}',
        b'{"active":true,"cnf":{"jkt":"a","jkt":"b"}}',
    ],
)
def test_a_repeated_member_is_no_answer(body: bytes) -> None:
    assert is_no_answer(body)


@pytest.mark.parametrize("name", ["client_id", "username", "token_type", "sub", "iss", "jti"])
@pytest.mark.parametrize("value", [1, True, ["a"], {"a": "b"}])
def test_a_text_member_of_another_type_is_no_answer(name: str, value: Any) -> None:
    assert is_no_answer({"active": True, name: value})


@pytest.mark.parametrize("value", [1, True, {"a": "b"}, [1], ["a b"], ["a", ""], [["a"]]])
def test_a_scope_that_is_no_string_or_list_of_scope_tokens_is_invalid(value: Any) -> None:
    assert is_no_answer({"active": True, "scope": value})


def test_a_scope_may_be_a_list() -> None:
    answer = parse({"active": True, "scope": ["a", "b"]})

    assert isinstance(answer, Active)
    assert answer.info.scopes == {"a", "b"}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["", "1.5", "-1", "soon", "1" * 21, "\u0661", True, [1], {}])
def test_a_time_that_is_no_number_is_no_answer(name: str, value: Any) -> None:
    assert is_no_answer({"active": True, name: value})


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        (-1, 0),
        (-0.5, 0),
        (YEAR_9999 * 1000 + 1, YEAR_9999),
        (2**63 - 1, YEAR_9999),
        (str(2**64 - 1), YEAR_9999),
        (10**400, YEAR_9999),
    ],
)
def test_a_time_beyond_the_calendar_is_the_first_or_last_moment(name: str, value: Any, seconds: int) -> None:
    answer = parse({"active": True, name: value})

    assert isinstance(answer, Active)
    assert answer.info[name] == seconds
    assert answer.info.expires_at is not None or name != "exp"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [1_700_000_000_123, 1_700_000_000_123.0, "1700000000123"])
def test_a_number_of_milliseconds_is_a_moment_in_seconds(name: str, value: Any) -> None:
    """Kept to the year 9999, an `exp` of that size would let an answer serve after its token has expired."""
    answer = parse({"active": True, name: value})

    assert isinstance(answer, Active)
    assert answer.info[name] == 1_700_000_000.123


@pytest.mark.parametrize("value", [YEAR_9999 + 1, 999_999_999_999, 10**18 - 1])
def test_a_number_of_nines_says_that_a_token_does_not_expire(value: int) -> None:
    answer = parse({"active": True, "exp": value})

    assert isinstance(answer, Active)
    assert answer.info["exp"] == YEAR_9999


@pytest.mark.parametrize("value", [0, 1.5, YEAR_9999])
def test_a_time_is_whole_or_fractional_seconds(value: float) -> None:
    answer = parse({"active": True, "exp": value})

    assert isinstance(answer, Active)
    assert answer.info.expires_at is not None


@pytest.mark.parametrize("value", [1, True, {}, ["a", 1], [["a"]]])
def test_an_audience_that_is_not_made_of_strings_is_no_answer(value: Any) -> None:
    assert is_no_answer({"active": True, "aud": value})


@pytest.mark.parametrize("value", ["a", ["a"], [1], True])
def test_a_confirmation_that_is_not_an_object_is_no_answer(value: Any) -> None:
    assert is_no_answer({"active": True, "cnf": value})


def test_a_member_that_is_null_counts_as_absent() -> None:
    answer = parse({"active": True, "sub": None, "exp": None, "cnf": None})

    assert isinstance(answer, Active)
    assert answer.info.to_dict() == {"active": True}


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"[-1e999]"])
def test_a_number_that_is_not_finite_is_no_answer(value: bytes) -> None:
    assert is_no_answer(b'{"active":true,"custom":%s}' % value)


@pytest.mark.parametrize("text", [rb'"\ud800"', rb'["a\udfff"]', rb'{"\ud800":1}'])
def test_half_a_character_is_no_answer(text: bytes) -> None:
    assert is_no_answer(b'{"active":true,"custom":%s}' % text)


def test_a_whole_character_in_two_halves_is_one() -> None:
    answer = parse(rb'{"active":true,"username":"\ud83d\ude00"}')

    assert isinstance(answer, Active)
    assert answer.info.username == "\N{GRINNING FACE}"


@pytest.mark.parametrize("depth", [40, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["list", "object"])
def test_endless_nesting_is_no_answer(depth: int, opening: bytes, closing: bytes) -> None:
    assert is_no_answer(b'{"active":true,"custom":%s1%s}' % (opening * depth, closing * depth))


def test_a_number_with_too_many_digits_is_no_answer() -> None:
    assert is_no_answer(b'{"active":true,"custom":%s}' % (b"9" * 5000))


def test_no_refusal_repeats_what_the_server_said() -> None:
    with pytest.raises(InvalidResponse) as refusal:
        parse(b'{"active":true,"sub":["alice"],"custom":"alice"')
    assert "alice" not in str(refusal.value)
    assert refusal.value.__suppress_context__


@pytest.mark.requirement("7662-2.2-d")
@pytest.mark.parametrize("reason", list(Reason))
def test_an_inactive_answer_is_sent_without_any_other_member(reason: Reason) -> None:
    assert render_response(Inactive(reason)) == {"active": False}


def test_an_active_answer_is_sent_with_its_members_and_without_its_user() -> None:
    answer = Active(TokenInfo({"sub": "1", "aud": ["x"]}), user="alice")

    assert render_response(answer) == {"active": True, "sub": "1", "aud": ["x"]}
