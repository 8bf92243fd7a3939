from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.backends import JWTBackend
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.jwt import has_jose_header
from tests import jose
from tests.backends.issuers import access_token, claims, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.properties.strategies import ANY_TEXT, json_values

HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}
HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "b64"]) | ANY_TEXT
CLAIM_NAMES = st.sampled_from(["iss", "exp", "nbf", "aud", "cnf", "scope", "typ"]) | ANY_TEXT


@pytest.fixture(scope="module")
def backend() -> Iterator[JWTBackend]:
    """A backend for as many tokens as a property wants, and its issuer."""
    with MisbehavingServer() as running:
        publish(running, public())
        made = JWTBackend("default", jwt_settings(running.origin)["OPTIONS"])
        yield made
        made.close()


def is_accepted(backend: JWTBackend, token: str) -> bool:
    """Return whether a token is accepted; the second unknown `kid` within seconds is neither proven nor accepted."""
    try:
        return bool(backend.introspect(token))
    except IntrospectionUnavailable:
        return False


@given(token=ANY_TEXT | st.lists(ANY_TEXT, min_size=3, max_size=3).map(".".join))
def test_any_text_is_judged_and_never_good(backend: JWTBackend, token: str) -> None:
    assert not backend.introspect(token)


@given(header=st.dictionaries(HEADER_NAMES, json_values()))
def test_any_header_is_judged_and_never_good_with_the_signature_of_another_one(
    backend: JWTBackend, header: dict[str, Any]
) -> None:
    _, *rest = access_token(str(backend.issuer)).split(".")

    assert not is_accepted(backend, ".".join([jose.part({**HEADER, **header, "x": 1}), *rest]))


@given(members=st.dictionaries(CLAIM_NAMES, json_values()))
def test_any_signed_claims_are_judged_and_can_be_used_where_they_are_good(
    backend: JWTBackend, members: dict[str, Any]
) -> None:
    said = {**claims(str(backend.issuer)), **members}
    answer = backend.introspect(jose.sign(HEADER, said, jose.key("ES256")))

    if answer:
        assert answer.info.expires_at is not None
        assert answer.info.iss == backend.issuer
        json.dumps(answer.info.to_dict(), allow_nan=False)


@given(position=st.integers(0, 10_000), character=st.sampled_from("AZaz09-_."))
def test_no_token_with_another_character_is_good(backend: JWTBackend, position: int, character: str) -> None:
    token = access_token(str(backend.issuer))
    position %= len(token)
    changed = token[:position] + character + token[position + 1 :]

    assert is_accepted(backend, changed) == (changed == token)


@given(
    space=st.text(" \t\r\n", max_size=80),
    header=st.dictionaries(HEADER_NAMES, json_values()),
    rest=st.lists(st.text("abcXYZ019-_", max_size=8), min_size=1, max_size=4),
)
def test_whatever_has_a_json_object_in_front_counts_as_a_jwt(space: str, header: Any, rest: list[str]) -> None:
    assert has_jose_header(".".join([jose.part(space.encode() + json.dumps(header).encode()), *rest]))
