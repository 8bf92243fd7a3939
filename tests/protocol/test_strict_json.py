"""JSON from outside: what is nested to the limit is read, and one level more is not."""

from __future__ import annotations

import re

import pytest

from django_introspection.protocol.strict_json import parse_json_array, parse_json_document, parse_json_object


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b'{"a":[', b"]}")])
def test_32_levels_are_read_and_one_more_is_refused(opening: bytes, closing: bytes) -> None:
    levels = opening.count(b"{") + opening.count(b"[")
    deepest = opening * (32 // levels) + b"1" + closing * (32 // levels)
    assert parse_json_object(deepest)

    with pytest.raises(ValueError, match="cannot be passed on"):
        parse_json_object(b'{"b":' + deepest + b"}")


def test_many_values_beside_each_other_are_not_deep() -> None:
    assert len(parse_json_array(b"[" + b",".join([b"[{}]"] * 100) + b"]")) == 100


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"a": 1, "a": 2}', "repeats a member"),
        (b'{"a": {"b": 1, "b": 1}}', "repeats a member"),
        (b'{"a": NaN}', "has a number that is not finite"),
        (b'{"a": -Infinity}', "has a number that is not finite"),
        (b'{"a": 1e999}', "has a number that is not finite"),
        (b'{"a": ' + b"9" * 5000 + b"}", "has a number with too many digits"),
        ('{"a": "é"}'.encode("latin-1"), "is not UTF-8"),
        (b'{"a": 1', "is not JSON"),
        (b"", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "is not a JSON object"),
        (b'{"a": "\\ud800"}', "holds a value that cannot be passed on"),
    ],
)
def test_the_problem_is_named_and_no_data_is_quoted(data: bytes, problem: str) -> None:
    for parse in (parse_json_object, parse_json_document):
        with pytest.raises(ValueError, match=re.escape(problem)) as raised:
            parse(data)
        assert str(raised.value) == problem
        assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_byte_order_mark_is_ignored_in_the_reply_of_a_server_alone() -> None:
    marked = b"\xef\xbb\xbf" + b'{"a": 1}'

    assert parse_json_document(marked) == {"a": 1}
    for refused in (lambda: parse_json_object(marked), lambda: parse_json_document(b"\xef\xbb\xbf" + marked)):
        with pytest.raises(ValueError, match="is not JSON"):
            refused()
