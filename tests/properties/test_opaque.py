from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.opaque import ACCESS_TOKEN, REFRESH_TOKEN, TokenPrefix, digest, generate
from tests.properties.strategies import ANY_TEXT

KINDS = st.sampled_from([ACCESS_TOKEN, REFRESH_TOKEN])
may_be_token = TokenPrefix().may_be_token
NAME = len("dit_")


@given(KINDS)
def test_every_generated_token_is_looked_up(kind: str) -> None:
    assert may_be_token(generate(kind))


@given(KINDS, st.integers(NAME, len("dit_at_") + 48), st.characters(exclude_categories=[]))
def test_a_token_with_one_other_character_is_refused(kind: str, position: int, character: str) -> None:
    """Behind `dit_`, that is: with another name it is somebody else's token, which only a query can judge."""
    value = generate(kind)
    changed = value[:position] + character + value[position + 1 :]

    assert may_be_token(changed) == (changed == value)


@given(KINDS, st.integers(NAME, len("dit_at_") + 48), st.characters(exclude_categories=[]))
def test_a_token_with_one_character_too_many_is_refused(kind: str, position: int, character: str) -> None:
    value = generate(kind)

    assert not may_be_token(value[:position] + character + value[position:])
    assert not may_be_token(value[:position] + value[position + 1 :])


@given(ANY_TEXT)
def test_what_may_be_a_token_has_a_digest(value: str) -> None:
    assert not may_be_token(value) or len(digest(value)) == 32
