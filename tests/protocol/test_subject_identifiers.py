"""The subjects of security events (RFC 9493 §3, OpenID Shared Signals Framework 1.0 §3)."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.protocol.subject_identifiers import Target, UnsupportedSubject, targets_of, user_of

ISSUER = "https://id.example.com"
ALICE = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}
SESSION = {"format": "opaque", "id": "s-1"}
TOKEN = {"format": "jwt_id", "iss": ISSUER, "jti": "t-1"}
CLIENT = {"format": "opaque", "id": "shop"}
UNKNOWN = {"format": "email", "email": "alice@example.com"}


@pytest.mark.parametrize(
    ("subject", "targets"),
    [
        (ALICE, [Target("sub", "alice")]),
        ({"format": "opaque", "id": "alice"}, [Target("sub", "alice")]),
        (TOKEN, [Target("jti", "t-1")]),
        ({"format": "complex", "session": SESSION, "user": ALICE}, [Target("sid", "s-1")]),
        ({"format": "complex", "user": ALICE, "application": CLIENT}, [Target("sub", "alice")]),
        ({"format": "complex", "application": CLIENT}, [Target("client_id", "shop")]),
        ({"format": "complex", "session": UNKNOWN, "user": ALICE}, [Target("sub", "alice")]),
        ({"format": "complex", "session": "s-1", "user": ALICE, "application": CLIENT}, [Target("sub", "alice")]),
        ({"format": "complex", "session": SESSION, "user": UNKNOWN}, [Target("sid", "s-1")]),
    ],
)
def test_a_subject_names_the_claim_of_the_tokens_that_end(subject: Any, targets: list[Target]) -> None:
    assert list(targets_of(subject, issuer=ISSUER)) == targets


def test_an_opaque_subject_of_a_session_event_may_be_a_session_or_a_user() -> None:
    targets = targets_of(SESSION, issuer=ISSUER, is_session=True)

    assert set(targets) == {Target("sub", "s-1"), Target("sid", "s-1")}


@pytest.mark.parametrize(
    ("subject", "user"),
    [
        ({"format": "complex", "session": SESSION, "user": ALICE}, [Target("sub", "alice")]),
        ({"format": "complex", "session": SESSION}, []),
        (SESSION, []),
        (ALICE, []),
        ({"format": "complex", "session": SESSION, "user": UNKNOWN}, []),
        ({"format": "complex", "session": SESSION, "user": {**ALICE, "iss": "https://other.example"}}, []),
    ],
)
def test_the_user_of_a_complex_subject_is_named(subject: Any, user: list[Target]) -> None:
    assert list(user_of(subject, issuer=ISSUER)) == user


@pytest.mark.parametrize(
    "subject",
    [
        None,
        "alice",
        {},
        {"format": "email", "email": "alice@example.com"},
        {"format": "opaque"},
        {"format": "opaque", "id": ""},
        {"format": "opaque", "id": "x" * 1001},
        {"format": "opaque", "id": 7},
        {**ALICE, "iss": "https://other.example"},
        {**TOKEN, "iss": "https://other.example"},
        {"format": "complex"},
        {"format": "complex", "device": SESSION},
        {"format": "complex", "user": "alice"},
        {"format": "complex", "user": {"format": "complex", "user": ALICE}},
        {"format": "complex", "session": UNKNOWN, "user": UNKNOWN},
        {"format": "complex", "user": UNKNOWN, "application": CLIENT},
        {"format": "complex", "session": UNKNOWN, "application": CLIENT},
        {"format": "complex", "application": UNKNOWN},
    ],
)
def test_a_subject_that_is_not_understood_ends_nothing(subject: Any) -> None:
    with pytest.raises(UnsupportedSubject):
        targets_of(subject, issuer=ISSUER)
