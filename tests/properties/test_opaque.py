from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.opaque import ACCESS_TOKEN, REFRESH_TOKEN, digest, generate, may_be_token
from tests.properties.strategies import ANY_TEXT

PREFIXES = st.sampled_from([ACCESS_TOKEN, REFRESH_TOKEN])
NAME = len("dit_")


@given(PREFIXES)
def test_every_generated_token_is_looked_up(prefix: str) -> None:
    assert may_be_token(generate(prefix))


@given(PREFIXES, st.integers(NAME, len(ACCESS_TOKEN) + 48), st.characters(exclude_categories=[]))
def test_a_token_with_one_other_character_is_refused(prefix: str, position: int, character: str) -> None:
    """Behind `dit_`, that is: with another name it is somebody else's token, which only a query can judge."""
    value = generate(prefix)
    changed = value[:position] + character + value[position + 1 :]

    assert may_be_token(changed) == (changed == value)


@given(PREFIXES, st.integers(NAME, len(ACCESS_TOKEN) + 48), st.characters(exclude_categories=[]))
def test_a_token_with_one_character_too_many_is_refused(prefix: str, position: int, character: str) -> None:
    value = generate(prefix)

    assert not may_be_token(value[:position] + character + value[position:])
    assert not may_be_token(value[:position] + value[position + 1 :])


@given(ANY_TEXT)
def test_what_may_be_a_token_has_a_digest(value: str) -> None:
    assert not may_be_token(value) or len(digest(value)) == 32
