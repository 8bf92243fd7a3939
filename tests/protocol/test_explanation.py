from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.answer import Inactive, Reason
from django_introspection.protocol.binding import ProvenKeys
from django_introspection.protocol.explanation import MAX_VALUE, MAX_VALUES, explain, insufficient_scope, quoted
from django_introspection.protocol.token_info import TokenInfo


def explained(reason: Reason, **members: Any) -> tuple[str, str]:
    expecting: dict[str, Any] = {
        "issuer": "https://a.example",
        "audience": ["urn:b", "urn:a"],
        "keys": ProvenKeys("key"),
    }
    rejection = explain(reason, TokenInfo(members), now=0.0, leeway=30, **expecting)
    assert rejection == Inactive(reason)
    return rejection.expected, rejection.found


@pytest.mark.parametrize(
    ("reason", "members", "expected", "found"),
    [
        (Reason.WRONG_AUDIENCE, {"aud": "urn:c"}, "aud 'urn:a', 'urn:b'", "aud 'urn:c'"),
        (Reason.WRONG_AUDIENCE, {}, "aud 'urn:a', 'urn:b'", "aud none"),
        (Reason.WRONG_ISSUER, {"iss": "https://b.example"}, "iss 'https://a.example'", "iss 'https://b.example'"),
        (
            Reason.EXPIRED,
            {"exp": 1},
            "exp after 1970-01-01T00:00:00+00:00, 30 s allowed",
            "exp 1970-01-01T00:00:01+00:00",
        ),
        (Reason.NOT_YET_VALID, {"nbf": 10**20}, "nbf before 1970-01-01T00:00:00+00:00, 30 s allowed", f"nbf {10**20}"),
        (Reason.NOT_AN_ACCESS_TOKEN, {"typ": "ID"}, "token_type 'Bearer' or 'DPoP'", "typ 'ID'"),
        (Reason.NOT_AN_ACCESS_TOKEN, {}, "token_type 'Bearer' or 'DPoP'", "no token_type"),
        (
            Reason.NOT_AN_ACCESS_TOKEN,
            {"token_type": "Bearer", "at_hash": "x"},
            "token_type 'Bearer' or 'DPoP' and no at_hash or c_hash",
            "token_type 'Bearer', at_hash 'x'",
        ),
        (Reason.BOUND_TO_A_KEY, {"cnf": {"jkt": "x"}}, "a bearer token without cnf", "cnf with jkt 'x'"),
        (Reason.BOUND_TO_A_KEY, {"token_type": "DPoP"}, "a bearer token without cnf", "token_type 'DPoP' and no cnf"),
        (Reason.NOT_BOUND_TO_A_KEY, {}, "cnf with jkt", "no cnf"),
        (Reason.ANOTHER_KEY, {"cnf": {"kid": 1, "jkt": "x"}}, "cnf with jkt 'key' alone", "cnf with jkt 'x', kid"),
        (Reason.BOUND_TO_A_KEY, {"cnf": {}}, "a bearer token without cnf", "cnf with no key"),
        (Reason.BOUND_TO_A_KEY, {"cnf": {"jwk": {"kty": "EC"}}}, "a bearer token without cnf", "cnf with jwk"),
        (
            Reason.BOUND_TO_A_KEY,
            {"cnf": {"jkt": ["x"], "a\nb": 1}},
            "a bearer token without cnf",
            "cnf with 'a\\nb', jkt",
        ),
        (
            Reason.BOUND_TO_A_KEY,
            {"cnf": dict.fromkeys("klmnopqrstu", 1)},
            "a bearer token without cnf",
            "cnf with 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', …",
        ),
        (Reason.REVOKED, {}, "", ""),
    ],
)
def test_a_rejection_names_what_was_expected_and_found(
    reason: Reason, members: dict[str, Any], expected: str, found: str
) -> None:
    assert explained(reason, **members) == (expected, found)


def test_a_rejection_reads_as_one_line() -> None:
    info = TokenInfo({"scope": "b a"})

    assert str(insufficient_scope(info, ("c", "a"))) == (
        "insufficient scope; expected scope 'c', 'a'; found scope 'a', 'b'"
    )
    assert str(Inactive(Reason.REVOKED)) == "revoked"


def test_a_value_from_outside_is_escaped_and_cut() -> None:
    shown = quoted(["\n\x1b[31m\u202e", "x" * 10_000, *range(1000)])

    assert shown.isprintable()
    assert "\n" not in shown
    assert len(shown) < (MAX_VALUE + 5) * MAX_VALUES
    assert shown.endswith("…")
