"""Encrypted JWTs (RFC 7516): what was encrypted for this server comes out whole, and anything else is malformed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.jwe import decrypt, encryption_key, read_decryption_key
from django_introspection.protocol.jwt import CONTENT_ALGORITHMS, ENCRYPTION_ALGORITHMS, MalformedJWT
from tests import jose
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, json_values, mutations

KEYS = [
    read_decryption_key(jose.private("ES256", "recipient")),
    read_decryption_key(jose.private("RS256", "recipient")),
]
HEADER_NAMES = st.sampled_from(["alg", "enc", "epk", "apu", "kid", "zip", "crit", "p2c"]) | ANY_TEXT


def encrypt(text: str, alg: str = "ECDH-ES", enc: str = "A128GCM") -> str:
    jwks = {"keys": [jose.public("ES256" if alg.startswith("ECDH") else "RS256", "recipient")]}
    key = encryption_key(jwks, alg)
    assert key is not None
    return key.encrypt(text, alg, enc)


ASCII = st.text(st.characters(max_codepoint=0x7E))


@given(
    ASCII,
    st.sampled_from(ENCRYPTION_ALGORITHMS),
    st.sampled_from(CONTENT_ALGORITHMS),
)
def test_what_was_encrypted_for_us_comes_out_whole(text: str, alg: str, enc: str) -> None:
    assert decrypt(encrypt(text, alg, enc), KEYS) == text


@given(st.data())
def test_a_changed_one_is_malformed_unless_nothing_changed(data: Any) -> None:
    value = encrypt("content")
    changed = data.draw(mutations(value))

    assert isinstance(outcome(lambda: decrypt(changed, KEYS), MalformedJWT), MalformedJWT) == (changed != value)


@given(ANY_TEXT | st.lists(ANY_TEXT, min_size=5, max_size=5).map(".".join))
def test_any_text_is_malformed(value: str) -> None:
    assert isinstance(outcome(lambda: decrypt(value, KEYS), MalformedJWT), MalformedJWT)


@given(st.dictionaries(HEADER_NAMES, json_values()), st.sampled_from(ENCRYPTION_ALGORITHMS))
def test_a_header_of_any_kind_is_malformed_without_its_own_content(header: dict[str, Any], alg: str) -> None:
    _, *rest = encrypt("content").split(".")
    value = ".".join([jose.part({"alg": alg, "enc": "A128GCM", **header}), *rest])

    assert isinstance(outcome(lambda: decrypt(value, KEYS), MalformedJWT), MalformedJWT)


@given(st.integers(1, 2**16))
def test_content_that_would_become_longer_is_not_unpacked(length: int) -> None:
    from joserfc import jwe

    header = {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}
    key = jose.key("ES256", "recipient")
    value = jwe.encrypt_compact(header, "A" * length, key, algorithms=["ECDH-ES", "A128GCM", "DEF"])

    assert isinstance(outcome(lambda: decrypt(value, KEYS), MalformedJWT), MalformedJWT)
    assert json.loads(jose.decode(value.partition(".")[0]))["zip"] == "DEF"
