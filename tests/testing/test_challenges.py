from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from django.http import HttpResponse

from django_introspection import testing
from django_introspection.protocol.challenge import challenge
from django_introspection.testing.challenges import parse_challenges
from tests.resource_server.protected import ask, protect


def refusal(header: str | None, status: int = 401, **headers: str) -> HttpResponse:
    found = {} if header is None else {"WWW-Authenticate": header}
    return HttpResponse(status=status, headers={**found, **headers})


def test_a_drf_view_without_a_token() -> None:
    response = ask(protect())

    found = testing.assert_challenge(response)

    assert found == testing.assert_unauthorized(response)
    assert found.scheme == "Bearer"
    assert found.parameters["realm"] == "api"


@pytest.mark.parametrize(
    ("error", "status"), [("invalid_request", 400), ("invalid_token", 401), ("insufficient_scope", 403)]
)
def test_the_status_goes_with_the_error(error: str, status: int) -> None:
    header = challenge("Bearer", error=error)

    testing.assert_challenge(refusal(header, status), error)
    with pytest.raises(AssertionError, match=f"status: expected {status}, found 418 with the challenge 'Bearer realm"):
        testing.assert_challenge(refusal(header, 418), error)


def test_an_http_client_answers_alike() -> None:
    response = httpx2.Response(401, headers=[("www-authenticate", "Basic"), ("www-authenticate", 'Bearer realm="api"')])

    testing.assert_challenge(response, realm="api")


def test_the_scope_has_no_order() -> None:
    response = refusal(challenge("Bearer", error="insufficient_scope", scope="a b"), 403)

    testing.assert_challenge(response, "insufficient_scope", scope="b a")
    testing.assert_challenge(response, "insufficient_scope", scope=["b", "a"])


@pytest.mark.parametrize(
    ("header", "wanted", "message"),
    [
        (None, {}, "expected a challenge, found none"),
        ('Bearer realm="api"', {"error": "invalid_token"}, "error: expected 'invalid_token', found none in 'Bearer"),
        ('Bearer error="invalid_token"', {}, "error: expected none, found 'invalid_token'"),
        ('Bearer scope="b a"', {"scope": "c b"}, "scope: expected 'b c', found 'a b'"),
        ('Bearer scope="a"', {"realm": "api"}, "realm: expected 'api', found none"),
        ('Bearer scope="a  b"', {"scope": "a b"}, "scope: not a scope"),
        ('Basic realm="api"', {}, "expected one Bearer challenge, found 0"),
        ('Bearer realm="a", Bearer realm="b"', {}, "expected one Bearer challenge, found 2"),
        ("Bearer", {}, "has a parameter at least"),
        ('Bearer realm="api', {}, "must separate parameters and challenges"),
    ],
)
def test_a_failure_tells_what_differs(header: str | None, wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        testing.assert_challenge(refusal(header), status=401, **wanted)


def test_an_unknown_error_needs_its_status_named() -> None:
    with pytest.raises(TypeError, match="name the status"):
        testing.assert_challenge(refusal('Bearer error="odd"'), "odd")
    testing.assert_challenge(refusal('Bearer error="odd"', 400), "odd", status=400)


def test_unavailable_is_no_refusal() -> None:
    testing.assert_unavailable(refusal(None, 503, **{"Retry-After": "5"}))
    for response, message in [
        (refusal(None, 503), "Retry-After: expected seconds, found none"),
        (refusal(None, 503, **{"Retry-After": "soon"}), "found 'soon'"),
        (refusal('Bearer realm="api"', 503, **{"Retry-After": "5"}), "WWW-Authenticate: expected none"),
        (refusal(None, 500), "expected 503, found 500 with no challenge"),
    ]:
        with pytest.raises(AssertionError, match=message):
            testing.assert_unavailable(response)


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ('Bearer realm="a, b", error=invalid_token', [("Bearer", {"realm": "a, b", "error": "invalid_token"})]),
        (r'Basic realm="a \"b\" \\"', [("Basic", {"realm": 'a "b" \\'})]),
        ('Bearer Realm = "a" , scope="b"', [("Bearer", {"realm": "a", "scope": "b"})]),
        ("Negotiate, Basic realm=x", [("Negotiate", {}), ("Basic", {"realm": "x"})]),
        ('NTLM abc==, Bearer realm=""', [("NTLM", {}), ("Bearer", {"realm": ""})]),
        (
            'Basic realm="x", Bearer error="e", scope="s"',
            [("Basic", {"realm": "x"}), ("Bearer", {"error": "e", "scope": "s"})],
        ),
    ],
)
def test_challenges_are_read_as_they_are_written(header: str, challenges: list[tuple[str, dict[str, str]]]) -> None:
    assert [(found.scheme, found.parameters) for found in parse_challenges(header)] == challenges


@pytest.mark.parametrize(
    "header",
    [
        'Bearer realm="a", realm="b"',
        'Bearer realm="a", REALM="b"',
        r'Bearer error_description="a \"quote\""',
        'Bearer error_description="caf\u00e9"',
        'Bearer error_description="a\ttab"',
        'Bearer realm="a" error="b"',
        'Bearer realm="a",',
        'Bearer realm="a",, error="b"',
        ', Bearer realm="a"',
        'Bearer realm="a\nb"',
        'realm="a"',
        "Bearer a b",
        "Bearer realm=",
        'Bearer realm="a"x',
    ],
)
def test_what_is_not_a_challenge_is_refused(header: str) -> None:
    response = SimpleNamespace(status_code=401, headers={"WWW-Authenticate": header})

    with pytest.raises(AssertionError, match="WWW-Authenticate"):
        testing.assert_unauthorized(response)
