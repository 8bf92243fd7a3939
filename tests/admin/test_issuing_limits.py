"""What an operator may issue: nothing that makes the permission to issue a key to every account."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from django_introspection.models import Token
from django_introspection.models.fields import uuid7
from tests import factories
from tests.settings import AUDIENCE

ISSUE = "/admin/introspection/token/issue/"


@pytest.fixture
def shop() -> Any:
    """A client with limits of its own."""
    return factories.RegistrationFactory(
        scope="orders:read orders:write", allowed_resources=[AUDIENCE], access_token_lifetime=900
    ).client


def form(client: Any, /, **entries: Any) -> dict[str, Any]:
    """The form of an operator who may not view clients and users."""
    filled = {"client": client.client_id, "user": "", "scope": "orders:read", "audience": AUDIENCE, "lifetime": "900"}
    return {**filled, "form_id": uuid7(), **entries}


def errors(response: Any) -> set[str]:
    return set(response.context["form"].errors) if "form" in response.context else set()


def test_within_the_limits_of_the_client_a_token_is_issued(staff_browser: Any, shop: Any, user: Any) -> None:
    answer = staff_browser("issue_token").post(ISSUE, form(shop, user=user.username))

    assert not errors(answer)
    token = Token.objects.get()
    assert (token.user, token.scope, token.audience) == (user, "orders:read", [AUDIENCE])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scope", "orders:read anything:at-all"),
        ("audience", "https://api.example.com/invoices"),
        ("audience", f"{AUDIENCE}\nhttps://api.example.com/invoices"),
        ("lifetime", "901"),
        ("lifetime", "31622400"),
    ],
)
def test_beyond_the_limits_of_the_client_another_permission_is_needed(
    staff_browser: Any, shop: Any, field: str, value: str
) -> None:
    staff = staff_browser("issue_token")

    answer = staff.post(ISSUE, form(shop, **{field: value}))

    assert errors(answer) == {field}
    assert not Token.objects.exists()
    factories.User.objects.filter(username="staff").delete()
    assert not errors(staff_browser("issue_token", "issue_any_token").post(ISSUE, form(shop, **{field: value})))
    assert Token.objects.count() == 1


def test_a_client_that_may_request_nothing_gets_a_token_without_scope_and_audience_alone(
    staff_browser: Any, resource_server: Any
) -> None:
    staff, client = staff_browser("issue_token"), resource_server.client

    assert errors(staff.post(ISSUE, form(client))) == {"scope", "audience"}
    assert not errors(staff.post(ISSUE, form(client, scope="", audience="")))


def test_the_permission_alone_issues_nothing(staff_browser: Any, shop: Any) -> None:
    assert staff_browser("issue_any_token").post(ISSUE, form(shop)).status_code == 403
    assert not Token.objects.exists()


@pytest.mark.parametrize("privilege", ["is_staff", "is_superuser"])
@pytest.mark.parametrize("codenames", [("issue_token",), ("issue_token", "issue_any_token")])
def test_for_a_privileged_user_only_a_superuser_issues(
    staff_browser: Any, browser: Browser, shop: Any, privilege: str, codenames: tuple[str, ...]
) -> None:
    boss = factories.UserFactory(**{privilege: True})

    refused = staff_browser(*codenames).post(ISSUE, form(shop, user=boss.username))

    assert errors(refused) == {"user"}
    assert "Only a superuser" in refused.content.decode()
    assert not Token.objects.exists()
    assert not errors(browser.post(ISSUE, form(shop, client=shop.pk, user=boss.pk)))
    assert Token.objects.get().user == boss


def test_an_operator_who_is_staff_issues_none_for_herself(staff_browser: Any, shop: Any) -> None:
    answer = staff_browser("issue_token").post(ISSUE, form(shop, user="staff"))

    assert errors(answer) == {"user"}


@pytest.mark.parametrize(
    ("codenames", "looked_up"),
    [((), set()), (("view_client",), {"client"}), (("view_user",), {"user"}), (("change_user",), {"user"})],
)
def test_autocomplete_is_offered_for_what_the_operator_may_view(
    staff_browser: Any, shop: Any, user: Any, codenames: tuple[str, ...], looked_up: set[str]
) -> None:
    staff = staff_browser("issue_token", *codenames)

    fields = staff.get(ISSUE).context["form"].fields
    entries = {"client": shop.pk if "client" in looked_up else shop.client_id}
    entries["user"] = user.pk if "user" in looked_up else user.username

    assert {name for name in ("client", "user") if hasattr(fields[name].widget, "get_url")} == looked_up
    assert not errors(staff.post(ISSUE, {**form(shop), **entries}))
    query = {"term": "", "app_label": "introspection", "model_name": "token"}
    for name in ("client", "user"):
        status = staff.get("/admin/autocomplete/", {**query, "field_name": name}).status_code
        assert status == (200 if name in looked_up else 403)
