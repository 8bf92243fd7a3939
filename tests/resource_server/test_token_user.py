"""A TokenUser where code expects a user of Django: permissions, groups, names, foreign keys and defaults."""

from __future__ import annotations

import inspect
import re
import uuid
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.contrib.auth.decorators import permission_required, user_passes_test
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from rest_framework import serializers
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.test import APIRequestFactory

from django_introspection import TokenInfo
from django_introspection.resource_server.users import TokenUser
from tests.factories import UserFactory

PAGE = Path(__file__).parents[2] / "docs" / "users.rst"


def user_with(**members: Any) -> TokenUser:
    return TokenUser(TokenInfo({"sub": "1", **members}), issuer="https://id.example.com")


def interface(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_it_has_everything_that_an_anonymous_user_has() -> None:
    assert interface(AnonymousUser) - set(dir(user_with())) == set()


def test_it_has_every_name_and_permission_of_a_user() -> None:
    """What is left out needs a row: passwords, dates, the model itself."""
    wanted = {name for name in interface(AbstractUser) if re.match("a?(has|get)_|email$|first_|last_name|is_", name)}

    assert wanted - set(dir(user_with())) == {
        "get_constraints", "get_deferred_fields", "get_email_field_name", "get_next_by_date_joined",
        "get_previous_by_date_joined", "get_session_auth_fallback_hash", "get_session_auth_hash", "has_usable_password",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for name in interface(AnonymousUser) if "perm" in name and "has" in name))
def test_it_has_no_permission_by_whatever_question(name: str) -> None:
    argument = ["auth.view_user"] if name.endswith("perms") and "module" not in name else "auth.view_user"
    asked = getattr(user_with(is_superuser=True), name)(argument)

    assert (async_to_sync(awaited)(asked) if inspect.isawaitable(asked) else asked) is False


@pytest.mark.parametrize("name", [name for name in sorted(interface(AnonymousUser)) if name.endswith("_permissions")])
def test_its_permissions_and_groups_are_empty(name: str) -> None:
    found = getattr(user_with(), name)
    if name == "user_permissions":
        assert list(found.all()) == []
        return
    found = found()
    assert (async_to_sync(awaited)(found) if inspect.isawaitable(found) else found) == set()


async def awaited(value: Any) -> Any:
    return await value


def test_it_is_in_no_group() -> None:
    groups = user_with().groups

    assert not groups.filter(name="staff").exists()
    assert list(groups.values_list("name", flat=True)) == []


@pytest.mark.parametrize("wrong", ["auth.view_user", 7])
def test_permissions_are_asked_for_as_in_django(wrong: Any) -> None:
    assert user_with().has_perms([]) is True
    with pytest.raises(ValueError, match="iterable"):
        user_with().has_perms(wrong)
    with pytest.raises(ValueError, match="iterable"):
        async_to_sync(user_with().ahas_perms)(wrong)


def test_what_needs_a_row_says_so() -> None:
    user = user_with()

    for call in (user.save, user.delete, lambda: user.set_password("x"), lambda: user.check_password("x")):
        with pytest.raises(NotImplementedError, match="no row"):
            call()
    with pytest.raises(TypeError):
        int(user)  # type: ignore[call-overload]  # as packages try


@pytest.mark.parametrize(
    ("members", "email"),
    [
        ({}, ""),
        ({"email": "ada@example.com"}, ""),
        ({"email": "ada@example.com", "email_verified": "true"}, ""),
        ({"email": "ada@example.com", "email_verified": True}, "ada@example.com"),
        ({"email": 7, "email_verified": True}, ""),
    ],
)
def test_only_an_address_that_the_issuer_verified_is_one(members: dict[str, Any], email: str) -> None:
    assert user_with(**members).email == email


def test_it_has_the_names_of_the_token() -> None:
    ada = user_with(username="ada", name="Ada Lovelace", given_name="Ada", family_name="Lovelace")

    assert (ada.first_name, ada.last_name) == ("Ada", "Lovelace")
    assert (ada.get_full_name(), ada.get_short_name(), ada.get_username()) == ("Ada Lovelace", "Ada", "ada")
    assert user_with(given_name="Ada", family_name="Lovelace").get_full_name() == "Ada Lovelace"
    assert user_with().get_full_name() == ""
    assert user_with(name=7, given_name=["x"]).get_full_name() == ""


def request_of(user: Any) -> HttpRequest:
    request = HttpRequest()
    request.user = user

    async def auser() -> Any:
        return user

    request.auser = auser
    return request


def test_a_decorator_of_django_refuses_it_in_async_views_too() -> None:
    @permission_required("auth.view_user", raise_exception=True)
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    @permission_required("auth.view_user", raise_exception=True)
    def sync_view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    @user_passes_test(lambda user: user.groups.filter(name="staff").exists(), login_url="/login")
    def members(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with pytest.raises(PermissionDenied):
        async_to_sync(view)(request_of(user_with()))
    with pytest.raises(PermissionDenied):
        sync_view(request_of(user_with()))
    request = request_of(user_with())
    request.META.update(SERVER_NAME="testserver", SERVER_PORT="80")
    assert members(request).status_code == 302


def test_model_permissions_let_it_read_and_not_write() -> None:
    """As Django REST framework has it: reading needs no permission of a model, only a user."""
    view: Any = SimpleNamespace(queryset=LogEntry.objects.none(), _ignore_model_permissions=False)

    def allows(method: str) -> bool:
        request: Any = SimpleNamespace(method=method, user=user_with())
        return DjangoModelPermissions().has_permission(request, view)

    assert allows("GET")
    assert not allows("POST")


def test_without_the_tables_of_django_it_has_no_groups(settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app == "rest_framework"]

    assert not hasattr(user_with(), "groups")
    assert not hasattr(user_with(), "user_permissions")
    assert user_with().get_all_permissions() == set()


# What the page of users prints for foreign keys, filters, defaults and audit packages.


def printed(name: str) -> Any:
    """Return a function or class that the page prints."""
    for block in re.findall(r"\.\. code-block:: python\n(?:   :\S+:.*\n)*\n((?:   .*\n|\n)+)", PAGE.read_text()):
        if re.search(rf"^   (?:def|class) {name}\b", block, re.MULTILINE):
            names: dict[str, Any] = {}
            exec(compile(dedent(block), str(PAGE), "exec"), names)  # noqa: S102 - the page is ours
            return names[name]
    pytest.fail(f"the page does not print {name}")


@pytest.mark.django_db
def test_a_foreign_key_takes_the_row_or_none() -> None:
    row_of, row = printed("row_of"), UserFactory()

    assert row_of(row) == row
    assert row_of(user_with()) is None
    LogEntry.objects.create(user=row_of(row), object_repr="", action_flag=1)
    assert LogEntry.objects.filter(user=row_of(row)).count() == 1
    with pytest.raises((TypeError, ValueError)):
        list(LogEntry.objects.filter(user=user_with()))


def test_a_default_of_a_serializer_is_the_identity() -> None:
    class Note(serializers.Serializer[Any]):
        owner = serializers.HiddenField(default=printed("CurrentIdentity")())

    request: Any = APIRequestFactory().post("/")
    request.user = user_with()
    note = Note(data={}, context={"request": request})

    assert note.is_valid()
    assert note.validated_data["owner"] == request.user.pk
    assert isinstance(note.validated_data["owner"], uuid.UUID)
