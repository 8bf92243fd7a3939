from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.scope import format_scope, parse_scope
from tests.properties.strategies import ANY_TEXT, SCOPE_TOKENS


@pytest.mark.requirement("6749-3.3-a")
@given(st.lists(SCOPE_TOKENS, unique=True))
def test_what_is_joined_is_split_into_the_same_tokens(tokens: list[str]) -> None:
    assert parse_scope(format_scope(tokens)) == tuple(tokens)


@given(st.lists(SCOPE_TOKENS))
def test_reading_and_writing_again_changes_nothing_more(tokens: list[str]) -> None:
    once = format_scope(parse_scope(format_scope(tokens)))

    assert format_scope(parse_scope(once)) == once
    assert set(parse_scope(once)) == set(tokens)


@given(ANY_TEXT)
def test_any_text_is_a_scope_or_a_value_error(value: str) -> None:
    try:
        tokens = parse_scope(value)
    except ValueError:
        assert value
    else:
        assert set(" ".join(tokens).split(" ")) == set(value.split(" "))
