"""What a DPoP proof must say, and when two URIs are one (RFC 9449, RFC 7638, RFC 3986)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.protocol.dpop import (
    InvalidProof,
    check_claims,
    check_time,
    normal_uri,
    read_proof,
    thumbprint,
)
from tests import jose

URI = "https://api.example.com/orders"
EXAMPLE = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
"""The key of RFC 7638 §3.1."""


def test_the_thumbprint_of_the_key_in_the_rfc_is_the_one_in_the_rfc() -> None:
    assert thumbprint(EXAMPLE) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
def test_the_thumbprint_is_that_of_another_implementation(alg: str) -> None:
    assert thumbprint(jose.public(alg, kid="x", use="sig")) == jose.thumbprint(alg)


@pytest.mark.parametrize("jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": "RSA", "e": "AQAB"}, {"kty": 7}, {"kty": []}])
def test_what_is_no_public_key_has_no_thumbprint(jwk: Any) -> None:
    with pytest.raises(InvalidProof):
        thumbprint(jwk)


@pytest.mark.parametrize(
    "uri",
    [
        URI,
        "HTTPS://API.example.COM:443/orders",
        "https://api.example.com:/orders",
        f"{URI}?page=2",
        f"{URI}#top",
        "https://api.example.com/%6frders",
        "https://api.example.com/%6Frders",
        "https://api.example.com/./orders",
        "https://api.example.com/a/../orders",
        "https://api.example.com/%2e%2E/orders",
        "https://api.example.com/../orders",
    ],
)
def test_spellings_of_one_uri_are_one(uri: str) -> None:
    assert normal_uri(uri) == normal_uri(URI)


@pytest.mark.parametrize(
    "uri",
    [
        "https://api.example.com/orders/",
        "https://api.example.com/orders/.",
        "https://api.example.com//orders",
        "https://api.example.com/Orders",
        "https://api.example.com/orders/1/../..",
        "https://api.example.com/orders%2F",
        "https://api.example.com:8443/orders",
        "https://api.example.com./orders",
        "https://api.example.com.evil.example/orders",
        "https://[2001:db8::1]/orders",
        "http://api.example.com/orders",
        "https://api.example.com",
    ],
)
def test_other_uris_are_others(uri: str) -> None:
    assert normal_uri(uri) not in (None, normal_uri(URI))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/orders",
        "//api.example.com/orders",
        "https:///orders",
        "https://user@api.example.com/orders",
        "ftp://api.example.com/orders",
        "urn:orders",
        "https://api.example.com:x/orders",
        "https://api.example.com:99999/orders",
        "https://[api/orders",
        "https://api.example.com/or\nders",
        " https://api.example.com/orders",
        "https://api.exämple.com/orders",
    ],
)
def test_what_is_no_http_uri_has_no_normal_form(uri: str) -> None:
    assert normal_uri(uri) is None


def test_an_empty_path_is_the_root() -> None:
    assert normal_uri("https://h.example") == normal_uri("https://h.example/")
    assert normal_uri("http://h.example:80") == normal_uri("http://h.example/?a=b")


@given(st.text())
def test_any_text_after_a_host_stays_on_that_host(text: str) -> None:
    assert (normal_uri(f"https://h.example/{text}") or "https://h.example:443/").startswith("https://h.example:443/")


@given(st.lists(st.sampled_from(["a", "B", "é", "%", ".", "..", ""])))
def test_a_path_means_the_same_encoded_or_not(segments: list[str]) -> None:
    path = quote(f"/{'/'.join(segments)}")
    heavy = "".join(f"%{byte:02x}" for byte in f"/{'/'.join(segments)}".encode()).replace("%2f", "/")

    assert normal_uri(f"https://h.example{path}") == normal_uri(f"https://h.example{heavy}")
    assert "/./" not in f"{normal_uri(f'https://h.example{path}')}/"
    assert "/../" not in f"{normal_uri(f'https://h.example{path}')}/"


def check(**changes: Any) -> None:
    claims = jose.read(jose.proof("t", URI, **{"iat": 1000, **changes}))[1]
    check_claims(claims, method="GET", uris=frozenset({str(normal_uri(URI))}), token="t")
    check_time(claims, now=1000.5, leeway=30)


def test_the_claims_of_a_good_proof_are_good() -> None:
    check()
    check(iat=1030, exp=1)


@given(
    st.sampled_from(["jti", "htm", "htu", "ath", "iat"]),
    st.none() | st.booleans() | st.integers(max_value=0) | st.lists(st.none()),
)
def test_a_claim_of_another_kind_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidProof):
        check(**{name: value})


@given(st.text())
def test_no_text_is_a_proof_and_none_is_repeated(text: str) -> None:
    with pytest.raises(InvalidProof) as refusal:
        read_proof(text)
    assert len(text) < 5 or text not in str(refusal.value)


def test_a_proof_shows_nothing_of_itself() -> None:
    jwt = read_proof(jose.proof("t", URI, jti="the-jti"))

    assert "the-jti" not in repr(jwt)


@pytest.mark.parametrize("alg", ["none", "HS256", "RS1", "es256"])
def test_a_proof_of_another_algorithm_is_refused_before_its_key_is_read(alg: str) -> None:
    proof = jose.proof("token", URI)
    _, claims, signature = proof.split(".")
    changed = jose.part({**jose.read(proof)[0], "alg": alg})

    with pytest.raises(InvalidProof, match="alg is not one that is accepted here"):
        read_proof(f"{changed}.{claims}.{signature}")
