"""Who `request.user` is for a token of a remote server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from django_introspection import TokenInfo, token_backends
from django_introspection.protocol.answer import Active
from django_introspection.resource_server.users import TokenUser, user_of
from tests.misbehaving.server import remote_settings

ISSUER = "https://auth.example.com"


def user(**members: Any) -> TokenUser:
    return TokenUser(TokenInfo(members))


def test_the_same_subject_of_the_same_issuer_is_the_same_user() -> None:
    first = user(iss=ISSUER, sub="42", username="anna", client_id="app", scope="a")
    again = user(iss=ISSUER, sub="42", username="renamed", client_id="other", scope="b")

    assert first == again
    assert first.pk == first.id == again.pk
    assert len({first, again}) == 1


def test_the_key_of_a_user_stays_the_same_from_one_release_to_the_next() -> None:
    """Projects keep it in their tables."""
    assert str(user(iss=ISSUER, sub="42").pk) == "b0381dbc-7ab4-4ae8-a0ea-a099973a6b03"


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://other.example.com", "sub": "42"},
        {"iss": ISSUER, "sub": "43"},
        {"sub": "42"},
        {"iss": ISSUER, "client_id": "42"},
        {"iss": f"{ISSUER}4", "sub": "2"},
        {"iss": ISSUER, "sub": ""},
    ],
)
def test_another_issuer_subject_or_kind_is_another_user(other: dict[str, Any]) -> None:
    assert user(**other) != user(iss=ISSUER, sub="42")


def test_the_name_is_for_people_and_no_identity() -> None:
    assert str(user(username="anna", sub="42", client_id="app")) == "anna"
    assert user(sub="42", client_id="app").get_username() == "42"
    assert user(client_id="app").username == "app"
    assert user().username == ""


@pytest.mark.parametrize(
    ("members", "is_client"),
    [
        ({"client_id": "app"}, True),
        ({"client_id": "app", "sub": "app"}, True),
        ({"client_id": "app", "sub": "42"}, False),
        ({"sub": "42"}, False),
    ],
)
def test_a_client_acting_for_itself_is_told_from_a_person(members: dict[str, Any], is_client: bool) -> None:
    assert user(**members).is_client is is_client


def test_a_token_user_is_somebody_without_rights_whatever_the_answer_says() -> None:
    claimed = user(sub="42", is_staff=True, is_superuser=True, is_active=False, pk=1)

    assert claimed.is_authenticated
    assert claimed.is_active
    assert not claimed.is_anonymous
    assert not any([claimed.is_staff, claimed.is_superuser])
    assert not any([claimed.has_perm("a.b"), claimed.has_perms(["a.b"]), claimed.has_module_perms("a")])


def test_the_local_user_of_the_source_goes_before_the_one_made_of_the_token(rf: Any) -> None:
    info, local = TokenInfo({"sub": "42", "iss": ISSUER}), SimpleNamespace(is_active=True)
    backend = token_backends["default"]

    assert user_of(Active(info, local), backend, rf.get("/"), asked=backend, token="") is local
    assert user_of(Active(info), backend, rf.get("/"), asked=backend, token="") == TokenUser(info)


def test_the_same_subject_of_two_servers_that_name_no_issuer_is_two_users(rf: Any, settings: Any) -> None:
    one = remote_settings("https://one.example.com/introspect")["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"one": one, "two": one}}
    info, backends = TokenInfo({"sub": "42"}), [token_backends[alias] for alias in ("one", "two")]

    assert len({user_of(Active(info), each, rf.get("/"), asked=each, token="") for each in backends}) == 2


def test_the_repr_of_a_user_tells_nothing_but_the_key() -> None:
    shown = repr(user(iss=ISSUER, sub="42", username="anna"))

    assert "anna" not in shown
    assert ISSUER not in shown
