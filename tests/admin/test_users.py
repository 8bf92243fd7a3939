from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.test import Client as Browser
from django.test import RequestFactory
from django.urls import path

from django_introspection.admin import TokenAdmin, UserTokensMixin
from django_introspection.models import Token
from tests import factories
from tests.admin.client_pages import told

LIST = "/admin/introspection/token/"


class OwnUserAdmin(UserTokensMixin, UserAdmin):
    """The admin class of a project's own user model."""


class PlainUserAdmin(UserTokensMixin):
    """One that declares no fields."""

    exclude = ("groups", "user_permissions")


OFFICE = admin.AdminSite(name="back-office")
OFFICE.register(factories.User, OwnUserAdmin)
OFFICE.register(Token, TokenAdmin)
PLAIN = admin.AdminSite(name="plain")
PLAIN.register(factories.User, PlainUserAdmin)
urlpatterns = [path("office/", OFFICE.urls), path("plain/", PLAIN.urls)]


@pytest.fixture
def issued(user: Any) -> Any:
    """An access and a refresh token of a user, beside a token of another."""
    factories.TokenFactory(user=factories.UserFactory())
    return factories.TokenFactory(user=user, refresh=True)


def listed(browser: Browser, **query: Any) -> set[Any]:
    response = browser.get(LIST, query)
    assert response.status_code == 200
    return {token.user for token in response.context["cl"].result_list}


@pytest.mark.parametrize("query", ["q", "user"])
@pytest.mark.parametrize("by", ["pk", "username"])
def test_the_tokens_of_a_user_are_found_by_name_and_by_id(
    browser: Browser, issued: Any, user: Any, query: str, by: str
) -> None:
    assert listed(browser, **{query: str(getattr(user, by))}) == {user}


def test_a_name_that_is_the_id_of_another_finds_the_tokens_of_both(browser: Browser, issued: Any, user: Any) -> None:
    other = factories.UserFactory(username=str(user.pk))
    factories.TokenFactory(user=other)

    page = browser.get(LIST, {"user": str(user.pk)})

    assert listed(browser, user=str(user.pk)) == {user, other}
    assert "Revoke all tokens of this user" not in page.content.decode()


@pytest.mark.parametrize("name", ["nobody", "a\x00b", "' OR 1=1", "9" * 40, str(uuid.UUID(int=0)), "-1"])
def test_a_user_that_does_not_exist_is_reported(browser: Browser, issued: Any, name: str) -> None:
    page = browser.get(LIST, {"user": name})

    assert list(page.context["cl"].result_list) == []
    assert "There is no user with this name or ID." in page.content.decode()


def test_the_page_of_a_user_leads_to_the_tokens_of_the_user(browser: Browser, issued: Any, user: Any) -> None:
    page = browser.get(f"/admin/auth/user/{user.pk}/change/").content.decode()

    assert f'href="{LIST}?user={user.pk}"' in page


def test_without_the_permission_to_view_tokens_there_is_no_link(staff_browser: Any, issued: Any, user: Any) -> None:
    page = staff_browser("view_user").get(f"/admin/auth/user/{user.pk}/change/").content.decode()

    assert LIST not in page


@pytest.mark.urls(__name__)
def test_the_page_of_a_custom_user_shows_the_live_tokens(browser: Browser, issued: Any, user: Any) -> None:
    page = browser.get(f"/office/auth/user/{user.pk}/change/").content.decode()

    assert f'<a href="/office/introspection/token/?user={user.pk}">2 tokens</a>' in page


@pytest.mark.urls(__name__)
def test_the_tokens_are_shown_once_by_an_admin_class_without_fields(browser: Browser, issued: Any, user: Any) -> None:
    page = browser.get(f"/plain/auth/user/{user.pk}/change/").content.decode()

    assert page.count("2 tokens") == 1
    assert "Live tokens" not in browser.get("/plain/auth/user/add/").content.decode()


@pytest.mark.urls(__name__)
def test_the_tokens_of_a_custom_user_need_the_permission_to_view_tokens(
    staff_browser: Any, issued: Any, user: Any
) -> None:
    page = staff_browser("view_user").get(f"/office/auth/user/{user.pk}/change/").content.decode()

    assert user.username in page
    assert "2 tokens" not in page


def revoke_page(user: Any) -> str:
    return f"{LIST}user/{user.pk}/revoke/"


def test_all_tokens_of_a_user_are_revoked_after_they_were_counted(browser: Browser, issued: Any, user: Any) -> None:
    listing = browser.get(LIST, {"user": user.pk}).content.decode()
    page = browser.get(revoke_page(user)).content.decode()
    assert f'href="{revoke_page(user)}"' in listing
    assert "1 access token<" in page
    assert "1 refresh token<" in page

    answer = browser.post(revoke_page(user), follow=True)

    assert told(answer) == "2 tokens were revoked."
    assert answer.redirect_chain == [(f"{LIST}?user={user.pk}", 302)]
    assert {token.user for token in Token.objects.filter(revoked_at=None)}.isdisjoint({user})
    assert Token.objects.filter(revoked_at=None).count() == 1
    assert set(Token.objects.filter(user=user).values_list("revoked_by", flat=True)) == {"operator root"}
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (str(user.pk), "Revoked all tokens of this user.")


@pytest.mark.parametrize("user_id", ["0", "x", "9" * 40])
def test_revoking_for_a_user_that_does_not_exist_changes_nothing(browser: Browser, issued: Any, user_id: str) -> None:
    answer = browser.post(f"{LIST}user/{user_id}/revoke/", follow=True)

    assert "The user does not exist. Nothing was changed." in told(answer)
    assert Token.objects.filter(revoked_at=None).count() == 3


@pytest.mark.parametrize(
    ("codenames", "status"), [(("view_token",), 403), (("revoke_token",), 403), (("view_token", "revoke_token"), 302)]
)
def test_revoking_for_a_user_needs_both_permissions(
    staff_browser: Any, issued: Any, user: Any, codenames: tuple[str, ...], status: int
) -> None:
    staff = staff_browser(*codenames)

    assert staff.post(revoke_page(user)).status_code == status
    assert Token.objects.filter(revoked_at=None).count() == (3 if status == 403 else 1)


def test_the_mixin_adds_nothing_to_the_form_of_a_new_user(superuser: Any) -> None:
    request = RequestFactory().get("/")
    request.user = superuser

    assert "live_tokens" not in str(OwnUserAdmin(factories.User, OFFICE).get_fieldsets(request))
