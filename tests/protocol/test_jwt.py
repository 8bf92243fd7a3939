from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.jwt import (
    MAX_JWT,
    MalformedJWT,
    decode_base64url,
    encode_base64url,
    looks_like_jwt,
    parse_jwt,
    signing_input,
)
from tests import jose

CLAIMS = {"sub": "alice", "n": 1.5}


def compact(header: Any = None, claims: Any = None, signature: bytes = b"sig") -> str:
    header = {"alg": "ES256", "typ": "application/AT+jwt", "kid": "a"} if header is None else header
    return f"{jose.part(header)}.{jose.part(CLAIMS if claims is None else claims)}.{jose.encode(signature)}"


def test_a_jwt_is_taken_apart() -> None:
    jwt = parse_jwt(compact())

    assert (jwt.alg, jwt.kid, jwt.media_type) == ("ES256", "a", "at+jwt")
    assert (jwt.claims, jwt.signature) == (CLAIMS, b"sig")
    assert f"{jwt.signing_input}.{jose.encode(b'sig')}" == compact()
    assert parse_jwt(compact({"alg": "x"})).media_type is None


def test_it_shows_nothing_of_itself() -> None:
    assert "alice" not in repr(parse_jwt(compact()))


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none(), max_size=5))
def test_what_was_put_together_is_taken_apart_again(claims: dict[str, Any]) -> None:
    text = signing_input({"alg": "ES256"}, claims)

    try:
        jwt = parse_jwt(f"{text}.")
    except MalformedJWT:
        surrogates = json.dumps(claims, ensure_ascii=True).count("\\ud")
        assert surrogates
    else:
        assert (jwt.claims, jwt.signing_input) == (claims, text)


@given(st.binary(max_size=100))
def test_bytes_have_one_spelling(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data
    with pytest.raises(MalformedJWT):
        decode_base64url(encode_base64url(data) + "=")


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "A A", "AA==", "+/+/", "AA\n", "é", "AA.AA"])
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(MalformedJWT):
        decode_base64url(text)


@given(st.text(alphabet="eyJ.AQab-_=+/ \n\0é", max_size=60))
def test_no_text_is_anything_but_a_jwt_or_malformed(text: str) -> None:
    with pytest.raises(MalformedJWT):
        parse_jwt(text)


@pytest.mark.requirement("7515-4.1.11-a", "7519-4-a")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b",
        "..",
        compact([]),
        compact(b"{"),
        compact(b"\xff"),
        compact({}),
        compact({"alg": None}),
        compact({"alg": ["ES256"]}),
        compact({"alg": "ES256", "crit": []}),
        compact({"alg": "ES256", "crit": ["exp"], "exp": 1}),
        compact({"alg": "ES256", "kid": 1}),
        compact({"alg": "ES256", "typ": None}),
        compact(b'{"alg": "none", "alg": "ES256"}'),
        compact(claims=b'{"aud": "a", "aud": "b"}'),
        compact(claims=b'{"exp": NaN}'),
        compact(claims=b'{"exp": 1e999}'),
        compact(claims=b'{"sub": "\\ud800"}'),
        compact(claims=b'{"a":' * 40 + b"1" + b"}" * 40),
        compact(claims=b"[" * 5000),
        compact(claims={"x": "y" * MAX_JWT}),
    ],
)
def test_what_has_no_or_two_readings_is_malformed_and_not_repeated_in_the_message(value: str) -> None:
    with pytest.raises(MalformedJWT) as caught:
        parse_jwt(value)

    assert not [piece for piece in value.split(".") if len(piece) > 3 and piece in str(caught.value)]
    assert caught.value.__cause__ is None


def test_a_jwt_has_at_most_16384_characters() -> None:
    longest = padded(16384)
    assert parse_jwt(longest).alg == "ES256"

    with pytest.raises(MalformedJWT):
        parse_jwt(longest + "A" * 4)


def padded(length: int) -> str:
    """Return a JWT of this many characters: its claims fill it, and its `kid` the last four."""
    for kid in ("", "1", "12", "123"):
        start = len(compact({"alg": "ES256", "kid": kid}, {"x": ""}))
        for fill in range((length - start) * 3 // 4 - 4, length):
            value = compact({"alg": "ES256", "kid": kid}, {"x": "y" * fill})
            if len(value) == length:
                return value
            if len(value) > length:
                break
    raise AssertionError(length)


@pytest.mark.parametrize(("value", "looks"), [("a.b.c", True), ("..", True), ("dit_at_x", False), ("a.b.c.d.e", False)])
def test_three_parts_look_like_a_jwt(value: str, looks: bool) -> None:
    assert looks_like_jwt(value) is looks
