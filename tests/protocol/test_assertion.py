"""The claims of an assertion that authenticates a client, and the reason that the log of the server names."""

from __future__ import annotations

import time
from typing import Any

import pytest

from django_introspection.protocol.assertion import assertion_problem
from django_introspection.protocol.jwt import parse_jwt
from tests import jose
from tests.settings import ISSUER

NOW = int(time.time())


def problem(header: dict[str, Any] | None = None, **changes: Any) -> str | None:
    claims = {"iat": NOW, "exp": NOW + 60, **changes}
    jwt = parse_jwt(jose.assertion("orders", header=header, **claims))
    return assertion_problem(jwt, client_id="orders", issuer=ISSUER, now=NOW, leeway=10)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "invoices"}, "iss and sub are not the client"),
        ({"sub": "invoices"}, "iss and sub are not the client"),
        ({"aud": [ISSUER, "https://other.example"]}, "aud is not this issuer alone"),
        ({"aud": f"{ISSUER}/token"}, "aud is not this issuer alone"),
        ({"aud": None}, "aud is not this issuer alone"),
        ({"jti": None}, "it has no jti"),
        ({"jti": ""}, "it has no jti"),
        ({"exp": None}, "it has no exp, or a time is malformed"),
        ({"nbf": "soon"}, "it has no exp, or a time is malformed"),
        ({"exp": NOW - 10}, "it has expired"),
        ({"exp": NOW + 311}, "it lives longer than 300 seconds"),
        ({"nbf": NOW + 11}, "it is not valid yet"),
        ({"iat": NOW + 11}, "it is not valid yet"),
        ({"iat": NOW - 311}, "it was made too long ago"),
    ],
)
def test_the_reason_of_a_refusal_is_named(changes: dict[str, Any], reason: str) -> None:
    assert problem(**changes) == reason


def test_an_assertion_of_another_type_is_refused() -> None:
    assert problem(header={"typ": "at+jwt"}) == "it is explicitly of another type"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [ISSUER]},
        {"exp": NOW - 9},
        {"exp": NOW + 310},
        {"nbf": NOW + 10},
        {"iat": NOW + 10},
        {"iat": NOW - 310},
        {"iat": None},
    ],
)
def test_a_clock_may_differ_by_the_leeway(changes: dict[str, Any]) -> None:
    assert problem(**changes) is None


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", "application/client-authentication+jwt"])
def test_the_types_of_an_assertion_are_accepted(typ: str) -> None:
    assert problem(header={"typ": typ}) is None
