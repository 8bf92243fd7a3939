"""Sets of public keys (RFC 7517): a key that cannot be used is left out, and never an error."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.jose import MAX_KEYS, KeyProblem, is_signed_by, keys_of, read_key_set
from django_introspection.jwe import check_key_set, encryption_key
from django_introspection.outbound.jwks import read_keys
from django_introspection.outbound.messages import Reply
from django_introspection.protocol.dpop import InvalidProof, thumbprint
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.jwt import ENCRYPTION_ALGORITHMS, SIGNING_ALGORITHMS, parse_jwt
from tests import jose
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, json_values, mutations

NAMES = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "k", "use", "key_ops", "alg", "kid"]) | ANY_TEXT
GOOD = st.sampled_from([jose.public("ES256"), jose.public("Ed25519"), jose.private("ES256"), {"kty": "oct", "k": "AA"}])


@st.composite
def jwks(draw: st.DrawFn) -> Any:
    """Draw a key, and what somebody may write instead of a member of it."""
    return {**draw(GOOD), **draw(st.dictionaries(NAMES, json_values(), max_size=3))}


@given(st.lists(jwks() | json_values(), max_size=5))
def test_keys_of_any_kind_verify_what_their_owner_signed_or_are_left_out(keys: list[Any]) -> None:
    jwt = parse_jwt(jose.sign({"alg": "ES256"}, {}, jose.key("ES256")))
    usable = outcome(lambda: read_key_set({"keys": keys}), KeyProblem)
    assert not isinstance(usable, KeyProblem)

    assert len(usable) <= len(keys)
    for key in usable:
        assert key.algorithms <= frozenset(SIGNING_ALGORITHMS)
    if is_signed_by(usable, jwt):
        own = jose.public("ES256")
        assert any(isinstance(each, dict) and (each.get("x"), each.get("y")) == (own["x"], own["y"]) for each in keys)


@given(st.lists(jwks() | json_values(), max_size=5))
def test_a_private_or_symmetric_key_is_left_out(keys: list[Any]) -> None:
    private = [each for each in keys if isinstance(each, dict) and not each.keys().isdisjoint(["d", "k", "p", "q"])]

    assert read_key_set({"keys": private}) == ()
    assert all(encryption_key({"keys": private}, alg) is None for alg in ENCRYPTION_ALGORITHMS)


@given(json_values() | st.dictionaries(st.just("keys"), json_values(), min_size=1))
def test_any_value_is_a_set_or_none(value: Any) -> None:
    outcome(lambda: check_key_set(value), KeyProblem)
    outcome(lambda: keys_of(value), KeyProblem)
    assert all(encryption_key(value, alg) is None for alg in ENCRYPTION_ALGORITHMS)


@given(st.data())
def test_a_changed_document_is_a_set_or_no_response(data: Any) -> None:
    document = json.dumps({"keys": [jose.public("ES256", kid="one"), jose.public("Ed25519")]})
    body = data.draw(mutations(document)).encode()

    keys = outcome(lambda: read_keys(Reply(200, {}, body)), InvalidResponse)

    assert isinstance(keys, InvalidResponse) or len(keys) <= 2


@given(st.integers(MAX_KEYS - 1, MAX_KEYS + 2))
def test_a_set_has_a_longest_length(length: int) -> None:
    result = outcome(lambda: read_key_set({"keys": [None] * length}), KeyProblem)

    assert isinstance(result, KeyProblem) == (length > MAX_KEYS)


@given(jwks() | st.dictionaries(NAMES, json_values()))
def test_a_thumbprint_is_that_of_joserfc_or_there_is_none(jwk: dict[str, Any]) -> None:
    name = outcome(lambda: thumbprint(jwk), InvalidProof)

    if not isinstance(name, InvalidProof):
        assert jwk["kty"] in ("RSA", "EC", "OKP")
        assert len(name) == 43
