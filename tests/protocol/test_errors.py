from __future__ import annotations

import pytest

from django_introspection import exceptions
from django_introspection.protocol import errors
from django_introspection.protocol.errors import OAuthError


@pytest.mark.parametrize(
    ("refusal", "error", "status"),
    [
        (errors.InvalidRequest, "invalid_request", 400),
        (errors.InvalidClient, "invalid_client", 401),
        (errors.InvalidCaller, "invalid_token", 401),
        (errors.InsufficientCaller, "insufficient_scope", 401),
        (errors.InvalidGrant, "invalid_grant", 400),
        (errors.InvalidScope, "invalid_scope", 400),
        (errors.InvalidTarget, "invalid_target", 400),
        (errors.UnauthorizedClient, "unauthorized_client", 400),
        (errors.UnsupportedGrantType, "unsupported_grant_type", 400),
        (errors.TemporarilyUnavailable, "temporarily_unavailable", 503),
    ],
)
def test_each_refusal_has_one_code_and_one_status(refusal: type[OAuthError], error: str, status: int) -> None:
    assert refusal().to_dict() == {"error": error}
    assert refusal().status == status


def test_a_description_is_a_member_of_the_answer_and_a_detail_is_not() -> None:
    refusal = errors.InvalidClient("Authentication failed.", detail="secret expired")

    assert refusal.to_dict() == {"error": "invalid_client", "error_description": "Authentication failed."}
    assert "expired" not in str(refusal)
    assert refusal.detail == "secret expired"


def test_the_status_of_one_refusal_changes_no_other() -> None:
    assert errors.InvalidRequest(status=413).status == 413
    assert errors.InvalidRequest().status == 400


def test_challenges_are_kept_as_they_were_rendered() -> None:
    assert errors.InvalidCaller(challenges=('Bearer realm="oauth"',)).challenges == ('Bearer realm="oauth"',)
    assert errors.InvalidCaller().challenges == ()


@pytest.mark.requirement("6749-5.2-d")
@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("The scope is malformed.", "The scope is malformed."),
        ('a "quoted" word', "a ?quoted? word"),
        ("back\\slash", "back?slash"),
        ("two\r\nlines", "two??lines"),
        ("café", "caf?"),
        ("\x7f", "?"),
    ],
)
def test_a_description_has_only_the_characters_that_the_standard_allows(text: str, safe: str) -> None:
    assert errors.error_text(text) == safe
    assert errors.InvalidRequest(text).description == safe


def test_an_answer_that_is_none_counts_as_no_answer() -> None:
    assert issubclass(errors.InvalidResponse, errors.IntrospectionUnavailable)
    assert issubclass(errors.IntrospectionUnavailable, errors.IntrospectionError)


def test_what_could_not_be_found_out_says_when_to_ask_again() -> None:
    assert errors.IntrospectionUnavailable("busy", retry_after=30).retry_after == 30
    assert errors.IntrospectionUnavailable().retry_after > 0


def test_users_meet_the_same_classes_under_their_public_names() -> None:
    assert exceptions.IntrospectionError is errors.IntrospectionError
    assert exceptions.IntrospectionUnavailable is errors.IntrospectionUnavailable
    assert exceptions.InvalidResponse is errors.InvalidResponse
