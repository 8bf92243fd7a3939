from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.token_info import TokenInfo
from tests.properties.strategies import UNICODE, plain_values

MEMBERS = st.dictionaries(UNICODE, plain_values())


def within(value: Any) -> list[Any]:
    """Return a value and everything in it."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [value, *(found for item in inner for found in within(item))]


@given(MEMBERS)
def test_nothing_inside_can_be_changed(members: dict[str, Any]) -> None:
    info = TokenInfo(members)

    for value in within(info):
        assert not isinstance(value, (list, dict, set))
        if isinstance(value, Mapping):
            with pytest.raises(TypeError):
                value["new"] = 1  # type: ignore[index]


@given(MEMBERS)
def test_its_dictionary_equals_it_and_shares_nothing_with_it(members: dict[str, Any]) -> None:
    info = TokenInfo(members)
    plain = info.to_dict()

    assert info == plain == {**members, "active": True}
    for value in within(plain):
        assert not isinstance(value, tuple)
        if isinstance(value, (dict, list)):
            value.clear()
    assert info == {**members, "active": True}


@given(MEMBERS)
def test_it_survives_pickling_and_copying(members: dict[str, Any]) -> None:
    info = TokenInfo(members)

    for again in (pickle.loads(pickle.dumps(info)), copy.deepcopy(info)):  # noqa: S301
        assert isinstance(again, TokenInfo)
        assert again == info
        assert list(again) == list(info)


@given(MEMBERS, MEMBERS)
def test_two_are_equal_exactly_where_their_members_are(members: dict[str, Any], others: dict[str, Any]) -> None:
    same = {**members, "active": True} == {**others, "active": True}

    assert (TokenInfo(members) == TokenInfo(others)) is same
    assert (TokenInfo(members) == {**others, "active": True}) is same
