"""A claim has a value exactly if JSON, written down, says so: whatever else a token holds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.claims import RequiredClaim
from django_introspection.protocol.token_info import TokenInfo
from tests.properties.strategies import plain_values

NAMES = st.sampled_from(["roles", "groups", "a:b", "https://a.example/roles", "1", "true"])
TEXTS = st.sampled_from(["seller", "sell", "seller buyer", "Seller", "1", "true", "roles", "é", "e\u0301"])
VALUES = TEXTS | st.sampled_from([0, 1, 2, True, False])
LEAVES = VALUES | st.sampled_from([None, 1.0, 0.0]) | plain_values()
CLAIMS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3), max_leaves=8
)
MEMBERS = st.dictionaries(NAMES, CLAIMS, max_size=4)
PATHS = st.lists(NAMES, min_size=1, max_size=3)


def written(value: Any) -> str:
    """Return a value in JSON, in which 1, 1.0, true and "1" differ."""
    return json.dumps(value)


def oracle(members: dict[str, Any], path: list[str], values: list[Any]) -> bool:
    """Say by the text of JSON what a person reads in the claim."""
    claim: Any = members
    for name in path:
        claim = claim.get(name) if type(claim) is dict else None
    if type(claim) is dict:
        named = {written(role) for role in claim if written(claim[role]).startswith("{")}
    elif type(claim) is list:
        named = {written(value) for value in claim}
    else:
        named = {written(claim)}
    return not named.isdisjoint(map(written, values))


@given(MEMBERS, PATHS, st.lists(VALUES, min_size=1, max_size=3))
def test_a_claim_has_a_value_exactly_if_its_json_says_so(
    members: dict[str, Any], path: list[str], values: list[Any]
) -> None:
    assert TokenInfo(members).has_claim(path, *values) is oracle(members, path, values)


@given(MEMBERS, PATHS, CLAIMS)
def test_every_value_that_is_put_there_is_found(members: dict[str, Any], path: list[str], claim: Any) -> None:
    """Draw a token that has the claim, which a random one seldom has."""
    nested: Any = claim
    for name in reversed(path):
        nested = {name: nested}
    held = {**members, **nested}
    drawn = claim if isinstance(claim, list) else [claim]

    for value in drawn:
        if type(value) in (str, int, bool) and value != "":
            assert TokenInfo(held).has_claim(path, value)
            assert oracle(held, path, [value])


@given(MEMBERS, PATHS, st.lists(VALUES, min_size=2, max_size=4))
def test_several_values_are_alternatives(members: dict[str, Any], path: list[str], values: list[Any]) -> None:
    info = TokenInfo(members)

    assert RequiredClaim.named(path, *values).is_held(info) is any(info.has_claim(path, each) for each in values)
