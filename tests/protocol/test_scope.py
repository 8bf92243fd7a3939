from __future__ import annotations

import pytest

from django_introspection.protocol.scope import format_scope, parse_scope


@pytest.mark.requirement("6749-3.3-a")
@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("", ()),
        ("a", ("a",)),
        ("orders:read orders:write", ("orders:read", "orders:write")),
        ("b a b", ("b", "a")),
        ("!#[]~'", ("!#[]~'",)),
        ("https://api.example.com/read", ("https://api.example.com/read",)),
    ],
)
def test_a_scope_is_its_distinct_tokens_in_order(value: str, tokens: tuple[str, ...]) -> None:
    assert parse_scope(value) == tokens


@pytest.mark.requirement("6749-3.3-a")
@pytest.mark.parametrize(
    "value", [" ", " a", "a ", "a  b", "a\tb", "a\nb", "a\n", 'a"b', "a\\b", "é", "a\x7f", "a\x00"]
)
def test_a_scope_outside_of_the_grammar_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a scope"):
        parse_scope(value)


def test_case_counts() -> None:
    assert parse_scope("a A") == ("a", "A")


def test_tokens_are_joined_with_one_space() -> None:
    assert format_scope(["a", "b"]) == "a b"
    assert format_scope(()) == ""
