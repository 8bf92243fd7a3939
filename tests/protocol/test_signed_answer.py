from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.answer import Active, Inactive
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.jwt import UnverifiedJWT, parse_jwt
from django_introspection.protocol.signed_answer import UnverifiedResponse, answer_claims, read_answer
from tests import jose

ISSUER, RESOURCE, CLIENT = "https://as.example.com/", "https://rs.example.com/resource", "orders-api"
CREATED = 1514797892
EXAMPLE = (
    "eyJraWQiOiJ3RzZEIiwidHlwIjoidG9rZW4taW50cm9zcGVjdGlvbitqd3QiLCJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FzLmV4YW1w"
    "bGUuY29tLyIsImF1ZCI6Imh0dHBzOi8vcnMuZXhhbXBsZS5jb20vcmVzb3VyY2UiLCJpYXQiOjE1MTQ3OTc4OTIsInRva2VuX2ludHJvc3BlY3Rp"
    "b24iOnsiYWN0aXZlIjp0cnVlLCJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUuY29tLyIsImF1ZCI6Imh0dHBzOi8vcnMuZXhhbXBsZS5jb20vcmVz"
    "b3VyY2UiLCJpYXQiOjE1MTQ3OTc4MjIsImV4cCI6MTUxNDc5Nzk0MiwiY2xpZW50X2lkIjoicGFpQjJnb28wYSIsInNjb3BlIjoicmVhZCB3cml0"
    "ZSBkb2xwaGluIiwic3ViIjoiWjVPM3VwUEM4OFFyQWp4MDBkaXMiLCJiaXJ0aGRhdGUiOiIxOTgyLTAyLTAxIiwiZ2l2ZW5fbmFtZSI6IkpvaG4i"
    "LCJmYW1pbHlfbmFtZSI6IkRvZSIsImp0aSI6InQxRm9DQ2FaZDRYdjRPUkpVV1ZVZVRaZnNLaFczMENRQ3JXRERqd1h5NncifX0.przJMU5GhmNz"
    "vwtt1Sr-xa9xTkpiAg5IshbQsRiRVP_7eGR1GHYrNwQh84kxOkHCyje2g5WSRcYosGEVIiC-eoPJJ-qBwqwSlgx9JEeCDw2W5DjrblOI_N0Jvsq_"
    "dUeOyoWVMqlOydOBhKNY0smBrI4NZvEExucOm9WUJXMuJtvq1gBes-0go5j4TEv9sOP9uu81gqWTr_LOo6pgT0tFFyZfWC4kbXPXiQ2YT6mxCiQR"
    "RNM-l9cBdF6Jx6IOrsfFhBuYdYQ_mlL19HgDDOFaleyqmru6lKlASOsaE8dmLSeKcX91FbG79FKN8un24iwIDCbKT9xlUFl54xWVShNDFA"
)
"""The response of RFC 9701 §5; its public key is not published."""
HEADER = {"typ": "token-introspection+jwt", "alg": "ES256"}
CLAIMS: dict[str, Any] = {"iss": ISSUER, "aud": CLIENT, "iat": CREATED, "token_introspection": {"active": False}}


def read(jwt: UnverifiedJWT, *, now: float = CREATED, issuer: str = ISSUER) -> Active | Inactive:
    return read_answer(jwt, issuer=issuer, audience=frozenset({CLIENT, RESOURCE}), now=now, max_age=5, leeway=10)


def signed(header: Any = None, **changes: Any) -> UnverifiedJWT:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return parse_jwt(jose.sign(HEADER | (header or {}), claims))


@pytest.mark.requirement("9701-5-a", "9701-5-b", "9701-P")
def test_the_example_of_the_rfc_is_read() -> None:
    answer = read(parse_jwt(EXAMPLE), now=CREATED + 1)

    assert isinstance(answer, Active)
    assert answer.info.to_dict() == {
        "active": True,
        "iss": ISSUER,
        "aud": RESOURCE,
        "iat": 1514797822,
        "exp": 1514797942,
        "client_id": "paiB2goo0a",
        "scope": "read write dolphin",
        "sub": "Z5O3upPC88QrAjx00dis",
        "birthdate": "1982-02-01",
        "given_name": "John",
        "family_name": "Doe",
        "jti": "t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w",
    }


@pytest.mark.requirement("9701-5-b", "9701-5-d")
def test_the_claims_of_an_answer_are_those_of_the_example() -> None:
    example = parse_jwt(EXAMPLE).claims

    claims = answer_claims(example["token_introspection"], issuer=ISSUER, audience=RESOURCE, now=CREATED)

    assert claims == example


@pytest.mark.requirement("9701-P", "9701-8.1-a")
@pytest.mark.parametrize(
    ("header", "changes"),
    [
        *(({"typ": typ}, {}) for typ in ("JWT", "at+jwt", "dpop+jwt", "logout+jwt", "", "introspection+jwt")),
        *(({}, {"iss": iss}) for iss in (None, "", "https://as.example.com", [ISSUER], "https://evil.example/")),
        *(({}, {"aud": aud}) for aud in (None, "", [], "orders", ["other"], [[CLIENT]], {CLIENT: 1}, 5)),
        *(({}, {"iat": iat}) for iat in (None, "now", str(CREATED), True, -1, CREATED - 16, CREATED + 11)),
        *(({}, {"exp": exp}) for exp in (CREATED - 11, "never", -1)),
        *(({}, {"nbf": nbf}) for nbf in (CREATED + 11, "now")),
        *(({}, {"token_introspection": nested}) for nested in (None, [], True, '{"active": true}', {}, {"active": 1})),
        ({}, {"token_introspection": {"active": True, "scope": 5}}),
        ({}, {"token_introspection": None, "active": True, "scope": "orders:read"}),
    ],
)
def test_any_other_jwt_is_no_answer(header: Any, changes: Any) -> None:
    with pytest.raises(InvalidResponse):
        read(signed(header, **changes))


@pytest.mark.requirement("9701-P")
@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"typ": "application/token-introspection+jwt"}, {}),
        ({"typ": "Token-Introspection+JWT"}, {}),
        ({}, {"aud": [CLIENT]}),
        ({}, {"aud": ["other", RESOURCE]}),
        ({}, {"iat": CREATED - 15}),
        ({}, {"iat": CREATED + 10.5 - 0.5}),
        ({}, {"exp": CREATED - 10, "nbf": CREATED + 10}),
        ({}, {"sub": "alice", "jti": "x"}),
    ],
)
def test_what_does_not_change_the_meaning_is_accepted(header: Any, changes: Any) -> None:
    assert read(signed(header, **changes)) == read(signed())


def test_the_message_says_why_and_repeats_nothing() -> None:
    with pytest.raises(UnverifiedResponse, match=r"^the signed response is refused: its iss is not the issuer$"):
        read(signed(iss="https://evil.example/"))
