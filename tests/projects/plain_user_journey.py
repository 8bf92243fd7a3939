"""What must work with a user model that has no more than Django asks for: run by `test_journey.py`."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client as Browser
from rest_framework.authtoken.models import Token as Original

from django_introspection import introspect, token_backends
from django_introspection.admin.token_state import State, in_state, state_of
from django_introspection.leaks.alerts import Alert
from django_introspection.leaks.ending import REPORT, end_leaked
from django_introspection.leaks.notices import send_notices
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.personal_tokens.models import PersonalToken
from tests import endpoints, factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Any:
    return get_user_model().objects.create(name="ada", password="!")


def test_a_token_is_issued_described_and_opens_a_view(ada: Any) -> None:
    token = factories.TokenFactory(user=ada).access_token
    answer = Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})
    members = endpoints.introspect(token, auth=factories.ResourceServerFactory()).json()

    assert answer.data == {"user": str(ada.pk), "sub": str(ada.pk)}
    assert (members["active"], members["username"]) == (True, "ada")


def test_a_personal_token_that_needs_no_permission_is_active(ada: Any) -> None:
    issued = PersonalToken.objects.issue(ada, name="laptop", scope=["orders:read"])
    info = introspect(issued.value)

    assert info is not None
    assert info.scopes == {"orders:read"}


def test_a_token_of_authtoken_is_active(ada: Any) -> None:
    answer = token_backends["authtoken"].introspect(Original.objects.create(user=ada).key)

    assert answer
    assert answer.info.username == "ada"


def test_people_see_and_end_what_they_gave(ada: Any) -> None:
    issued, browser = factories.TokenFactory(user=ada), Browser()
    personal = PersonalToken.objects.issue(ada, name="laptop", scope=["orders:read"])
    browser.force_login(ada)

    assert browser.get("/account/apps/").status_code == 200
    assert browser.get("/account/tokens/").status_code == 200
    assert browser.post(f"/account/apps/grants/{issued.token.grant_id}/revoke/").status_code == 302
    assert browser.post(f"/account/tokens/{personal.row.pk}/revoke/").status_code == 302
    assert introspect(issued.access_token) is introspect(personal.value) is None


def test_nothing_is_mailed_to_a_user_without_an_address(ada: Any, mailoutbox: list[Any]) -> None:
    leaked = factories.TokenFactory(user=ada).access_token
    PersonalToken.objects.issue(ada, name="laptop", scope=["orders:read"], lifetime=timedelta(hours=1))

    send_notices(end_leaked([Alert(leaked)], source=REPORT).leaks)
    out = StringIO()
    for options in ([], ["--send"]):
        call_command("introspection_personal_tokens", "expiring", *options, stdout=out)

    assert "'ada'" in out.getvalue()
    assert mailoutbox == []


def test_the_lists_of_the_admin_agree_with_the_answers(ada: Any) -> None:
    tokens = [factories.TokenFactory(user=user).token for user in (ada, None)]

    for state in State.values:
        assert set(in_state(Token.objects.all(), state, now())) == {t for t in tokens if state_of(t, now()) == state}


def test_a_new_password_ends_the_tokens(ada: Any) -> None:
    token = factories.TokenFactory(user=ada).access_token
    ada.password = "another"
    ada.save()

    assert introspect(token) is None
