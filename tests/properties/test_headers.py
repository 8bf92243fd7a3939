from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.challenge import challenge
from django_introspection.protocol.errors import error_text
from tests.properties.strategies import ANY_TEXT, SCOPE_TOKENS

CHALLENGE = re.compile(r'Bearer ([a-z_]+="[\x20-\x21\x23-\x5b\x5d-\x7e]*"(?:, (?=[a-z]))?)+')
PARAMETERS = st.sampled_from(["error", "error_description", "scope"])
PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')


@pytest.mark.requirement("6749-5.2-d")
@given(ANY_TEXT)
def test_any_text_becomes_one_with_the_allowed_characters_and_the_same_length(text: str) -> None:
    safe = error_text(text)

    assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", safe)
    assert len(safe) == len(text)
    assert error_text(safe) == safe


@pytest.mark.requirement("6750-3-c", "6750-3-d")
@given(ANY_TEXT.filter(bool), st.dictionaries(PARAMETERS, ANY_TEXT | st.none()))
def test_any_text_stays_within_its_quotes_on_one_line(realm: str, params: dict[str, str | None]) -> None:
    header = challenge("Bearer", realm=realm, **params)

    assert CHALLENGE.fullmatch(header)
    read = PARAMETER.findall(header)
    assert read == [(name, error_text(value)) for name, value in {"realm": realm, **params}.items() if value]


@given(st.lists(SCOPE_TOKENS, min_size=1))
def test_a_scope_in_a_challenge_is_the_scope_itself(tokens: list[str]) -> None:
    assert f'scope="{" ".join(tokens)}"' in challenge("Bearer", scope=" ".join(tokens))
