"""DPoP proofs: one is accepted for its request and token alone, if the key in it made the signature (RFC 9449 §4.3)."""

from __future__ import annotations

import json
import time
from typing import Any

from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_introspection.proofs import Proof, verify_proof
from django_introspection.protocol.dpop import MAX_AGE, InvalidProof, normal_uri, read_proof
from tests import jose
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, json_values, mutations

TOKEN, URI = "a-token", "https://api.example.com/orders"
HEADER_NAMES = st.sampled_from(["typ", "alg", "jwk", "kid", "crit"]) | ANY_TEXT
CLAIM_NAMES = st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce", "exp"]) | ANY_TEXT


def verify(proof: str, token: str = TOKEN, uri: str = URI) -> Proof | InvalidProof:
    request = RequestFactory().get("/", HTTP_DPOP=proof)
    uris = frozenset(filter(None, [normal_uri(uri)]))
    return outcome(lambda: verify_proof(request, receiver="here", uris=uris, token=token, nonces=None), InvalidProof)


@given(ANY_TEXT | st.lists(ANY_TEXT, min_size=3, max_size=3).map(".".join))
def test_any_text_is_refused(value: str) -> None:
    assert isinstance(outcome(lambda: read_proof(value), InvalidProof), InvalidProof)


@given(st.data())
def test_a_changed_proof_is_refused_unless_nothing_changed(data: Any) -> None:
    proof = jose.proof(TOKEN, URI)
    changed = data.draw(mutations(proof))

    assert isinstance(verify(changed), Proof) == (changed == proof)


@given(st.dictionaries(CLAIM_NAMES, json_values(), min_size=1))
def test_signed_claims_of_any_kind_are_accepted_if_they_are_about_this_request_alone(changes: dict[str, Any]) -> None:
    now = time.time()
    proof = jose.proof(TOKEN, URI, **changes)

    accepted = verify(proof)

    if isinstance(accepted, Proof):
        claims = jose.read(proof)[1]
        assert (claims["htm"], normal_uri(claims["htu"])) == ("GET", normal_uri(URI))
        assert isinstance(claims["jti"], str)
        assert now - MAX_AGE - 1 <= claims["iat"] <= now + 60
        assert accepted.jkt == jose.thumbprint()


@given(st.dictionaries(HEADER_NAMES, json_values(), min_size=1))
def test_a_header_of_any_kind_is_accepted_if_it_has_the_key_that_signed(changes: dict[str, Any]) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jose.public("ES256"), **changes}
    proof = jose.sign(header, jose.read(jose.proof(TOKEN, URI))[1], jose.key("ES256"), alg="ES256")

    accepted = verify(proof)

    if isinstance(accepted, Proof):
        read = jose.read(proof)[0]
        assert read["typ"].lower().removeprefix("application/") == "dpop+jwt"
        assert (read["alg"], read["jwk"]["x"]) == ("ES256", jose.public("ES256")["x"])
        assert "crit" not in read


@given(st.sampled_from(["EC", "OKP", "RSA", "oct", "none"]), st.dictionaries(ANY_TEXT, json_values()))
def test_the_key_of_another_is_refused_whatever_it_says(kty: str, members: dict[str, Any]) -> None:
    jwk = {**jose.public("ES256", "two"), "kty": kty, **members}

    assert isinstance(verify(jose.proof(TOKEN, URI, signer=jose.key("ES256"), header={"jwk": jwk})), InvalidProof)


@given(
    ANY_TEXT.filter(lambda token: token != TOKEN),
    st.sampled_from(["/", "/orders/", "/Orders", "/orders/1", "//orders"]),
)
def test_a_proof_is_for_one_token_and_one_uri(token: str, path: str) -> None:
    proof = jose.proof(TOKEN, URI)

    assert isinstance(verify(proof), Proof)
    assert isinstance(verify(proof, uri=f"https://api.example.com{path}"), InvalidProof)
    assert isinstance(verify(proof, token=token.encode("utf-8", "replace").decode()), InvalidProof)


@given(ANY_TEXT)
def test_a_normal_uri_is_normal(uri: str) -> None:
    normal = normal_uri(uri)

    assert normal is None or normal.startswith(("http://", "https://"))
    json.dumps(normal)
