"""The pages on which a user sees grants and revokes them."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext, override_settings

from django_introspection import revocations
from django_introspection.models import Client, Token
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.self_service import grants, pages, views
from django_introspection.signals import token_revoked
from tests import endpoints, factories
from tests.self_service.conftest import text_of
from tests.self_service.test_grants import exchanged, orders_api, refreshed

pytestmark = pytest.mark.django_db

LIST = "/account/apps/"
ALL = f"{LIST}revoke/"
ENDED = "This access had already ended. Nothing was changed."


def grant_page(token: Token) -> str:
    return f"{LIST}grants/{token.grant_id}/revoke/"


def app_page(client: Client) -> str:
    return f"{LIST}apps/{client.pk}/revoke/"


@pytest.fixture
def issued(app: Any, user: Any) -> Any:
    """An access and a refresh token of the user."""
    return factories.TokenFactory(client=app.client, user=user, refresh=True)


@pytest.fixture
def stranger() -> Browser:
    """A browser in which another user is logged in."""
    browser = Browser()
    browser.force_login(factories.UserFactory())
    return browser


def live() -> int:
    return Token.objects.filter(revoked_at=None).count()


def everything_of(response: Any) -> str:
    return f"{response.content.decode()} {response.headers} {response.cookies}"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_fails_is_503(
    error: type[Exception], browser: Browser, issued: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error("deadlock detected")

    monkeypatch.setattr(views.revoking, "revoke_grant", fail)
    answers = [browser.post(grant_page(issued.token))]
    monkeypatch.setattr(views, "UserGrants", fail)
    answers += [browser.get(page) for page in (LIST, ALL, grant_page(issued.token), app_page(issued.token.client))]
    monkeypatch.setattr(SessionStore, "load", fail)
    answers.append(browser.get(LIST))

    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == [(503, "5")] * 6
    assert all("This page is not available at the moment." in text_of(answer) for answer in answers)
    assert all("no-store" in answer["Cache-Control"] for answer in answers)
    assert f"a page for people cannot be shown: {error.__name__}" in caplog.messages
    assert "deadlock" not in caplog.text


def test_the_list_names_the_apps_and_no_token(browser: Browser, issued: Any) -> None:
    page = browser.get(LIST)

    assert "Calendar Client ID: client-" in text_of(page)
    assert "Rights orders:read Services https://api.example.com/orders Access since" in text_of(page)
    for secret in (issued.access_token, issued.refresh_token, *(token.digest.hex() for token in Token.objects.all())):
        assert secret not in everything_of(page)
    for token in Token.objects.all():
        assert str(token.pk) not in everything_of(page)


def test_the_list_says_that_no_app_has_access(browser: Browser) -> None:
    assert "No app has access to your account." in text_of(browser.get(LIST))


def test_a_name_is_text_and_not_markup(browser: Browser, user: Any) -> None:
    client = factories.RegistrationFactory(client_name="<script>alert(1)</script>").client
    token = factories.TokenFactory(client=client, user=user).token
    answers = [browser.get(LIST), browser.get(grant_page(token)), browser.get(app_page(client))]
    answers.append(browser.post(app_page(client), follow=True))

    for answer in answers:
        assert "<script>" not in answer.content.decode()
        assert "&lt;script&gt;alert(1)" in answer.content.decode()


def test_a_grant_is_revoked_after_a_question(browser: Browser, issued: Any, app: Any) -> None:
    question = browser.get(grant_page(issued.token))
    assert "Do you want to revoke this access of Calendar ?" in text_of(question)
    assert live() == 2

    answer = browser.post(grant_page(issued.token), follow=True)

    assert answer.redirect_chain == [(LIST, 302)]
    assert "The access was revoked. No app has access to your account." in text_of(answer)
    assert live() == 0
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    assert endpoints.post("/oauth/token", form, auth=app).status_code == 400


def test_the_user_is_named_as_the_one_who_revoked(browser: Browser, issued: Any, user: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "django_introspection.security")
    seen: list[Any] = []

    def receive(client: Any, who: str, tokens: list[Any], **_: Any) -> None:
        seen.append((client, who, len(tokens)))

    token_revoked.connect(receive)
    browser.post(grant_page(issued.token))
    token_revoked.disconnect(receive)

    who = f"user {user.get_username()}"
    assert set(Token.objects.values_list("revoked_by", flat=True)) == {who}
    assert seen == [(None, who, 2)]
    assert f"by='{who}'" in caplog.text


def test_what_was_exchanged_and_what_was_refreshed_ends_with_the_grant(
    browser: Browser, issued: Any, app: Any, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    api = orders_api()
    passed_on = exchanged(issued.access_token, api)["access_token"]
    next_token = refreshed(app, issued.refresh_token)["access_token"]
    assert "Passed on to Orders API" in text_of(browser.get(LIST))
    digests = [bytes(token.digest) for token in Token.objects.filter(kind="access")]

    browser.post(grant_page(issued.token))

    for token, caller in ((passed_on, api), (next_token, app), (issued.access_token, app)):
        assert endpoints.introspect(token, auth=caller).json() == {"active": False}
    assert len(digests) == 3
    assert all(revocations.is_revoked(digest) for digest in digests)


def test_an_app_loses_all_its_grants_and_others_keep_theirs(
    browser: Browser, issued: Any, app: Any, user: Any, invoices: Client
) -> None:
    factories.TokenFactory(client=app.client, user=user, refresh=True)
    kept = [
        factories.TokenFactory(client=invoices, user=user).token.pk,
        factories.TokenFactory(client=app.client, user=factories.UserFactory()).token.pk,
    ]
    assert "It was given access 2 times." in text_of(browser.get(app_page(app.client)))

    answer = text_of(browser.post(app_page(app.client), follow=True))

    assert "Calendar has no access to your account any more." in answer
    assert set(Token.objects.filter(revoked_at=None).values_list("pk", flat=True)) == set(kept)


def test_all_apps_lose_their_access_those_that_are_disabled_included(
    browser: Browser, issued: Any, user: Any, invoices: Client
) -> None:
    factories.TokenFactory(client=invoices, user=user)
    others = factories.TokenFactory(user=factories.UserFactory()).token
    Client.objects.filter(pk=invoices.pk).update(is_active=False)
    assert "1 app has access." in text_of(browser.get(ALL))

    answer = text_of(browser.post(ALL, follow=True))

    assert "No app has access to your account any more." in answer
    assert list(Token.objects.filter(revoked_at=None).values_list("pk", flat=True)) == [others.pk]


def test_what_is_sent_twice_does_nothing_more(browser: Browser, issued: Any, app: Any) -> None:
    for address in (grant_page(issued.token), app_page(app.client), ALL):
        Token.objects.update(revoked_at=None)
        browser.post(address)
        before = list(Token.objects.order_by("pk").values_list("revoked_at", "revoked_by"))
        again, looked = browser.post(address, follow=True), browser.get(address, follow=True)

        assert ENDED in text_of(again)
        assert ENDED in text_of(looked)
        assert list(Token.objects.order_by("pk").values_list("revoked_at", "revoked_by")) == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_grants_of_others_do_not_exist(stranger: Browser, issued: Any, app: Any, method: str) -> None:
    absent = [f"{LIST}grants/{uuid.uuid4()}/revoke/", f"{LIST}apps/{app.client.pk + 1}/revoke/"]
    others = [grant_page(issued.token), app_page(app.client)]
    answers = [getattr(stranger, method)(address) for address in [*absent, *others]]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.content for answer in answers}) == 1
    assert live() == 2
    assert "Calendar" not in text_of(stranger.get(LIST))
    stranger.post(ALL)
    assert live() == 2


def test_a_client_that_got_its_token_in_exchange_is_no_app_of_the_user(browser: Browser, issued: Any) -> None:
    api = orders_api()
    exchanged(issued.access_token, api)

    assert browser.post(app_page(api.client)).status_code == 404
    assert live() == 3


@pytest.mark.parametrize("number", ["0", "9223372036854775808", "9" * 400])
def test_a_number_that_no_client_has_is_not_found(browser: Browser, number: str) -> None:
    assert browser.get(f"{LIST}apps/{number}/revoke/").status_code == 404


PAGES = ["", "revoke/", f"grants/{uuid.UUID(int=1)}/revoke/", "apps/1/revoke/"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_asks_for_a_login(page: str, db: None) -> None:
    answer = Browser().get(LIST + page)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={LIST}{page}")


def test_a_form_is_sent_with_its_csrf_token_also_in_a_project_without_the_middleware(
    user: Any, issued: Any, app: Any, settings: Any
) -> None:
    for middleware in (settings.MIDDLEWARE, [each for each in settings.MIDDLEWARE if "Csrf" not in each]):
        with override_settings(MIDDLEWARE=middleware):
            browser = Browser(enforce_csrf_checks=True)
            browser.force_login(user)
            for address in (grant_page(issued.token), app_page(app.client), ALL):
                assert browser.post(address).status_code == 403
    assert live() == 2

    form = browser.get(ALL).content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert found
    assert browser.post(ALL, {"csrfmiddlewaretoken": found[1]}).status_code == 302
    assert live() == 0


@pytest.mark.parametrize("page", PAGES[:2])
def test_pages_are_neither_cached_nor_framed_nor_named_to_other_sites(browser: Browser, issued: Any, page: str) -> None:
    headers = browser.get(LIST + page).headers

    assert "no-store" in headers["Cache-Control"]
    assert "private" in headers["Cache-Control"]
    assert (headers["Referrer-Policy"], headers["X-Frame-Options"]) == ("same-origin", "DENY")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_a_page_takes_the_methods_of_a_link_and_a_form(browser: Browser, issued: Any, app: Any, method: str) -> None:
    for address in (LIST, grant_page(issued.token), app_page(app.client), ALL):
        assert getattr(browser, method)(address).status_code == 405
    assert browser.post(LIST).status_code == 405
    assert browser.head(LIST).status_code == 200


def test_a_user_who_is_disabled_is_logged_out(browser: Browser, issued: Any, user: Any) -> None:
    user.is_active = False
    user.save()

    assert browser.post(ALL).status_code == 302
    assert browser.get(LIST).headers["Location"].startswith("/accounts/login/")
    assert live() == 2


def test_a_disabled_user_whom_the_project_lets_in_is_refused(user: Any, issued: Any, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    browser = Browser()
    user.is_active = False
    user.save()
    browser.force_login(user)

    assert [browser.get(LIST).status_code, browser.post(ALL).status_code] == [403, 403]
    assert live() == 2


def test_a_cache_that_does_not_answer_leaves_the_revocation_and_is_reported(
    browser: Browser, issued: Any, settings: Any
) -> None:
    settings.CACHES = {**settings.CACHES, "broken": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "broken"}}

    answer = text_of(browser.post(grant_page(issued.token), follow=True))

    assert "The access was revoked. Some services may not know this yet." in answer
    assert live() == 0


def test_what_was_revoked_stays_revoked_if_the_answer_fails(browser: Browser, issued: Any, monkeypatch: Any) -> None:
    """Also with ATOMIC_REQUESTS, whose transaction an error undoes."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no message can be stored")

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    monkeypatch.setattr("django_introspection.self_service.views.messages.success", fail)
    with pytest.raises(RuntimeError, match="no message"):
        browser.post(grant_page(issued.token))

    assert live() == 0


def test_a_project_without_messages_has_the_pages_too(user: Any, issued: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "messages" not in each]
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {}}]
    browser = Browser()
    browser.force_login(user)

    assert browser.post(grant_page(issued.token), follow=True).status_code == 200
    assert live() == 0


def test_the_user_returns_to_the_page_of_the_list(browser: Browser, app: Any, user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(grants, "PAGE_SIZE", 2)
    tokens = [factories.TokenFactory(client=app.client, user=user).token for _ in range(5)]
    page = browser.get(f"{LIST}?page=2").content.decode()
    address = re.search(r'href="([^"]+/revoke/\?page=2)"', page)
    assert address
    assert f'href="{LIST}?page=2">Cancel' in browser.get(address[1]).content.decode()

    assert browser.post(address[1]).headers["Location"] == f"{LIST}?page=2"
    assert browser.post(f"{grant_page(tokens[0])}?page=//evil.example").headers["Location"] == LIST


def test_pages_of_the_list_lead_to_each_other(browser: Browser, app: Any, user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(grants, "PAGE_SIZE", 2)
    for _ in range(5):
        factories.TokenFactory(client=app.client, user=user)

    first, second, third = (text_of(browser.get(f"{LIST}?page={number}")) for number in (1, 2, 3))

    assert "Page 1 of 3 Next page" in first
    assert "Previous page Page 2 of 3 Next page" in second
    assert third.endswith("Previous page Page 3 of 3")


def statements(browser: Browser, address: str, method: str = "get") -> int:
    with CaptureQueriesContext(connection) as captured:
        getattr(browser, method)(address)
    return len(captured)


def test_a_page_takes_the_same_statements_however_many_tokens_there_are(
    browser: Browser, issued: Any, app: Any, user: Any
) -> None:
    addresses = [LIST, grant_page(issued.token), app_page(app.client), ALL]
    few = [statements(browser, address) for address in addresses]
    for _ in range(10):
        token = factories.TokenFactory(client=app.client, user=user, refresh=True).refresh_token
        refreshed(app, token)
        factories.TokenFactory(user=user)
    many = [statements(browser, address) for address in addresses]

    assert few == many
    assert few == [6, 7, 4, 3]


def test_revoking_takes_a_statement_for_hundreds_of_tokens(browser: Browser, app: Any, user: Any, issued: Any) -> None:
    few = statements(browser, app_page(app.client), "post")
    for _ in range(30):
        factories.TokenFactory(client=app.client, user=user, refresh=True)

    assert statements(browser, app_page(app.client), "post") == few


def test_the_urls_work_below_another_namespace(browser: Browser, issued: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.self_service.nested_urls"
    for prefix in ("/one/", "/two/"):
        page = browser.get(prefix)
        addresses = re.findall(r'href="([^"]+/revoke/[^"]*)"', page.content.decode())

        assert addresses
        assert all(address.startswith(prefix) for address in addresses)
        assert browser.get(addresses[0]).status_code == 200
    assert browser.post(addresses[0]).headers["Location"].startswith("/two/")


class LateReplica:
    """The router of a project whose replica has nothing yet: it cannot be read at all."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return "a replica that lags" if model in (Token, PersonalToken) else None


def test_the_pages_read_the_database_that_is_written_to(
    user: Any, browser: Browser, issued: Any, settings: Any
) -> None:
    own = PersonalToken.objects.issue(user, name="laptop").row
    settings.DATABASE_ROUTERS = [LateReplica()]

    for page in (LIST, ALL, grant_page(issued.token), app_page(issued.token.client)):
        assert browser.get(page).status_code == 200
    for page in ("", f"{own.pk}/rotate/", f"{own.pk}/revoke/"):
        assert browser.get(f"/account/tokens/{page}").status_code == 200


def test_an_answer_without_a_page_is_neither_kept_nor_named_to_other_sites(browser: Browser) -> None:
    for answer in (Browser().get(LIST), browser.put(LIST)):
        assert "no-store" in answer["Cache-Control"]
        assert (answer["Referrer-Policy"], answer["X-Frame-Options"]) == ("same-origin", "DENY")


def test_no_database_of_a_project_has_a_transaction_around_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "connections", ["default", "tokens"])

    view: Any = pages.own_page("GET")(lambda request: HttpResponse())

    assert view._non_atomic_requests == {"default", "tokens"}
