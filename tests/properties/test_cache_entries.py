"""Entries of a shared cache: only what this deployment has sealed is read, and it is read as it was written."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.backends.entry import Kept, decode, encode, seal_of
from django_introspection.protocol.answer import Active, Answer, Inactive, Reason
from django_introspection.protocol.introspection import wrong_member
from django_introspection.protocol.token_info import TokenInfo
from tests.properties.strategies import ANY_TEXT, UNICODE, json_values, mutations, plain_values
from tests.properties.test_responses import use

DIGEST, GENERATION = "ab" * 32, "generation"
SEAL = seal_of("the answers of a backend")
MEMBERS = st.dictionaries(UNICODE, plain_values()).filter(lambda members: wrong_member(members) is None)
ANSWERS = st.sampled_from(list(Reason)).map(Inactive) | MEMBERS.map(TokenInfo).map(Active)
MOMENTS = st.floats(0, 2**33)


@given(ANSWERS, MOMENTS)
def test_an_entry_is_read_as_it_was_written(answer: Answer, since: float) -> None:
    kept = Kept(answer, DIGEST, since)

    read = decode(encode(kept, GENERATION, SEAL), DIGEST, GENERATION, SEAL)

    assert read == kept
    if isinstance(answer, Active):
        use(answer)


@given(ANSWERS, UNICODE, UNICODE)
def test_an_entry_of_another_token_or_generation_is_none(answer: Answer, digest: str, generation: str) -> None:
    entry = encode(Kept(answer, digest, 1.0), generation, SEAL)

    is_this_one = (digest, generation) == (DIGEST, GENERATION)
    assert (decode(entry, DIGEST, GENERATION, SEAL) is not None) == is_this_one
    assert decode(entry, digest, generation, seal_of("another backend")) is None


@given(st.data())
def test_a_changed_entry_is_none_unless_nothing_changed(data: Any) -> None:
    entry = encode(Kept(Active(TokenInfo({"sub": "alice"})), DIGEST, 1.0), GENERATION, SEAL)
    changed = data.draw(mutations(entry))

    assert (decode(changed, DIGEST, GENERATION, SEAL) is not None) == (changed == entry)


@given(json_values() | st.binary() | ANY_TEXT)
def test_any_value_in_the_cache_is_none(value: Any) -> None:
    assert decode(value, DIGEST, GENERATION, SEAL) is None


@given(ANY_TEXT | json_values().map(repr) | st.lists(json_values(), min_size=5, max_size=5).map(repr))
def test_any_sealed_text_is_an_answer_that_can_be_judged_or_none(text: str) -> None:
    seal = SEAL.copy()
    seal.update(text.encode("utf-8", "replace"))

    assert decode(seal.hexdigest() + text, DIGEST, GENERATION, SEAL) is None
