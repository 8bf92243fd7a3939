"""Every resolver that the page of users prints is safe as printed: it is run against hostile answers."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from django_introspection import TokenInfo
from django_introspection.resource_server.users import TokenUser
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).parents[2] / "docs" / "users.rst"
_BLOCK = re.compile(r"\.\. code-block:: python\n(?:   :\S+:.*\n)*\n((?:   .*\n|\n)+)")
ISSUER = "https://id.example.com"
ADA = {"sub": "1", "client_id": "spa", "email": "ada@example.com", "email_verified": True}


def printed_resolvers() -> dict[str, Any]:
    """Return every function of the page that takes a user and a request."""
    found: dict[str, Any] = {}
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if re.search(r"^   def \w+\(token_user, request\)", block, re.MULTILINE):
            names: dict[str, Any] = {}
            exec(compile(dedent(block), str(PAGE), "exec"), names)  # noqa: S102 - the page is ours
            found |= {name: value for name, value in names.items() if name in re.findall(r"def (\w+)\(", block)}
    return found


RESOLVERS = printed_resolvers()


def resolve(name: str, issuer: str = ISSUER, **members: Any) -> Any:
    answer = {key: value for key, value in members.items() if value is not None}
    return RESOLVERS[name](TokenUser(TokenInfo(answer), issuer=issuer), HttpRequest())


def test_the_page_prints_a_resolver() -> None:
    assert RESOLVERS


@pytest.fixture
def people() -> dict[str, Any]:
    users = {
        "without address": UserFactory(username="zoe", email=""),
        "ada": UserFactory(username="ada", email="ada@example.com"),
        "staff": UserFactory(username="clerk", email="clerk@example.com", is_staff=True),
        "root": UserFactory(username="root", email="root@example.com", is_superuser=True),
    }
    for name in ("one", "two"):
        UserFactory(username=name, email="shared@example.com")
    return users


@pytest.mark.parametrize("name", RESOLVERS)
def test_a_printed_resolver_finds_the_user_it_is_for(name: str, people: dict[str, Any]) -> None:
    assert resolve(name, **ADA) == people["ada"]
    assert resolve(name, sub="spa", client_id="spa").is_client


HOSTILE: dict[str, dict[str, Any]] = {
    "no address": {"email": None},
    "empty address": {"email": ""},
    "no string": {"email": True},
    "a list": {"email": ["ada@example.com"]},
    "an object": {"email": {"ada@example.com": 1}},
    "not verified": {"email_verified": False},
    "verified by nobody": {"email_verified": None},
    "verified as text": {"email_verified": "true"},
    "verified as a number": {"email_verified": 1},
    "another issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": "alias:default"},
    "an issuer that the answer claims": {"issuer": "alias:default", "iss": ISSUER},
    "the address of the staff": {"email": "clerk@example.com"},
    "the address of a superuser": {"email": "root@example.com"},
    "an address of two": {"email": "shared@example.com"},
    "another case": {"email": "ADA@example.com"},
    "a letter that folds": {"email": "\u212ada@example.com"},
    "a blank": {"email": "ada@example.com "},
    "unknown": {"email": "mallory@example.com"},
    "a user without subject": {"sub": None, "username": "mallory", "email": None},
}


@pytest.mark.parametrize("name", RESOLVERS)
@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_a_printed_resolver_takes_nobody_for_another(
    name: str, members: dict[str, Any], people: dict[str, Any]
) -> None:
    assert resolve(name, **{**ADA, **members}) is None


@pytest.mark.parametrize("name", RESOLVERS)
def test_a_printed_resolver_makes_nobody(name: str, people: dict[str, Any]) -> None:
    before = get_user_model().objects.count()
    for members in HOSTILE.values():
        resolve(name, **{**ADA, **members})

    assert get_user_model().objects.count() == before
