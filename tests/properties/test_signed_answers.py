"""Signed introspection responses: one counts if the issuer signed it just now for this resource server (RFC 9701)."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from django_introspection.backends.signed_replies import SignedReplies
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.jose import read_verification_key
from django_introspection.jwe import encryption_key, read_decryption_key
from django_introspection.outbound.jwks import KeySet, VerificationKeys
from django_introspection.outbound.messages import Reply
from django_introspection.outbound.steps import Steps, run
from django_introspection.protocol.answer import Active, Answer
from tests import jose
from tests.properties.outcomes import outcome
from tests.properties.strategies import ANY_TEXT, json_values, mutations
from tests.properties.test_responses import use

ISSUER, AUDIENCE = "https://id.example.com", "orders-api"
MEDIA_TYPE = "application/token-introspection+jwt"
HEADER = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": "one"}
MEMBERS = {"active": True, "token_type": "Bearer", "sub": "alice", "scope": "orders:read"}
CLAIM_NAMES = st.sampled_from(["iss", "aud", "iat", "exp", "nbf", "token_introspection"]) | ANY_TEXT
RECIPIENT = jose.private("ES256", "recipient")


def claims(**changes: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "aud": AUDIENCE, "iat": int(time.time()), "token_introspection": MEMBERS, **changes}


def read(value: str, content_type: str = MEDIA_TYPE, *, encrypted: bool = False) -> Answer | IntrospectionUnavailable:
    """Return the answer in a reply, or the error that it is none."""

    def fetch() -> Steps[VerificationKeys]:
        return (read_verification_key(jose.public("ES256", kid="one")),)
        yield

    keys = (read_decryption_key(RECIPIENT),) if encrypted else ()
    names = frozenset({AUDIENCE})
    replies = SignedReplies(KeySet(fetch), issuer=ISSUER, names=names, timeout=5, decryption_keys=keys)
    reply = Reply(200, {"content-type": content_type}, value.encode("utf-8", "replace"))
    return outcome(lambda: run(replies.read(reply)), IntrospectionUnavailable)


@given(st.data())
def test_a_changed_answer_is_none_unless_nothing_changed(data: Any) -> None:
    value = jose.sign(HEADER, claims())
    changed = data.draw(mutations(value))

    assert isinstance(read(changed), Active) == (changed.strip() == value)


@given(st.data())
def test_a_changed_encrypted_answer_is_none_unless_nothing_changed(data: Any) -> None:
    key = encryption_key({"keys": [jose.public("ES256", "recipient")]}, "ECDH-ES")
    assert key is not None
    value = key.encrypt(jose.sign(HEADER, claims()), "ECDH-ES")
    changed = data.draw(mutations(value))

    assert isinstance(read(changed, encrypted=True), Active) == (changed.strip() == value)


@given(st.dictionaries(CLAIM_NAMES, json_values(), min_size=1))
def test_claims_of_any_kind_are_an_answer_if_they_are_for_this_server_and_moment(changes: dict[str, Any]) -> None:
    value = jose.sign(HEADER, claims(**changes))

    answer = read(value)

    if not isinstance(answer, IntrospectionUnavailable):
        said = jose.read(value)[1]
        assert said["iss"] == ISSUER
        assert AUDIENCE in ([said["aud"]] if isinstance(said["aud"], str) else said["aud"])
        assert abs(said["iat"] - time.time()) < 60
        assert said["token_introspection"]["active"] is bool(answer)
    if isinstance(answer, Active):
        use(answer)


@given(st.dictionaries(st.sampled_from(["typ", "alg", "kid", "crit"]) | ANY_TEXT, json_values(), min_size=1))
def test_a_header_of_any_kind_is_read_if_it_is_that_of_an_answer(changes: dict[str, Any]) -> None:
    value = jose.sign({**HEADER, **changes}, claims(), jose.key("ES256"), alg="ES256")

    if isinstance(read(value), Active):
        header = jose.read(value)[0]
        assert header["typ"].lower().removeprefix("application/") == "token-introspection+jwt"
        assert header["alg"] == "ES256"
        assert "crit" not in header


@given(ANY_TEXT)
def test_an_answer_of_another_media_type_is_none(content_type: str) -> None:
    answer = read(jose.sign(HEADER, claims()), content_type)

    assert isinstance(answer, IntrospectionUnavailable) or content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


@given(ANY_TEXT, st.booleans())
def test_any_text_is_no_answer(value: str, encrypted: bool) -> None:
    assert isinstance(read(value, encrypted=encrypted), IntrospectionUnavailable)
