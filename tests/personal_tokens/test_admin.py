"""The personal tokens in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection.models import Token
from django_introspection.personal_tokens.models import PersonalToken
from tests import factories
from tests.personal_tokens.conftest import make
from tests.self_service.conftest import text_of

pytestmark = pytest.mark.django_db

LIST = "/admin/introspection_personal_tokens/personaltoken/"


@pytest.fixture
def operator() -> Browser:
    browser = Browser()
    browser.force_login(factories.UserFactory(is_staff=True, is_superuser=True))
    return browser


def test_an_operator_sees_the_tokens_of_a_user(operator: Browser, user: Any) -> None:
    issued = make(user, name="<b>laptop", networks=["192.0.2.0/24"])
    make(factories.UserFactory(), name="another")

    listed = operator.get(LIST, {"q": user.get_username()})
    shown = operator.get(f"{LIST}{issued.row.pk}/change/")

    assert "&lt;b&gt;laptop" in listed.content.decode()
    assert "another" not in text_of(listed)
    assert "192.0.2.0/24" in text_of(listed)
    assert f"/admin/introspection/token/{issued.row.pk}/change/" in listed.content.decode()
    assert "192.0.2.0/24" in text_of(shown)
    for page in (listed, shown):
        assert issued.value not in page.content.decode()
        assert bytes(issued.row.token.digest).hex() not in page.content.decode()


def test_the_list_takes_as_many_statements_for_each_length(operator: Browser) -> None:
    counts = []
    for number in (1, 9):
        for _ in range(number):
            make(factories.UserFactory())
        with CaptureQueriesContext(connection) as captured:
            operator.get(LIST)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_nothing_is_changed_there(operator: Browser, user: Any) -> None:
    issued = make(user)

    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}{issued.row.pk}/change/", {"name": "x"}).status_code == 403
    assert operator.post(f"{LIST}{issued.row.pk}/delete/", {"post": "yes"}).status_code == 403
    operator.post(LIST, {"action": "delete_selected", "_selected_action": str(issued.row.pk), "post": "yes"})
    assert PersonalToken.objects.get().name == "laptop"


def test_an_operator_without_the_permission_sees_none(user: Any) -> None:
    make(user)
    staff = factories.UserFactory(is_staff=True)
    browser = Browser()
    browser.force_login(staff)
    assert browser.get(LIST).status_code == 403

    staff.user_permissions.add(Permission.objects.get(codename="view_personaltoken"))
    assert browser.get(LIST).status_code == 200


def test_a_row_without_its_token_is_not_listed(operator: Browser, user: Any) -> None:
    make(user)
    Token.objects.all().delete()

    assert "laptop" not in text_of(operator.get(LIST))


def test_a_user_with_tokens_is_deleted_in_the_admin(operator: Browser, user: Any) -> None:
    make(user, lifetime=timedelta(days=1))

    answer = operator.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}, follow=True)

    assert answer.status_code == 200
    assert not type(user).objects.filter(pk=user.pk).exists()
    assert not PersonalToken.objects.exists()
    assert not Token.objects.exists()
