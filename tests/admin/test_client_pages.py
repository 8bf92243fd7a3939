from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client as Browser
from django.urls import include, path
from django.utils.module_loading import import_string

from django_introspection.admin import ClientAdmin, TokenAdmin
from django_introspection.models import Client, ClientSecret, Token
from tests import endpoints, factories
from tests.admin.client_pages import ADD, LIST, add_form, change_form, page_of, secret_form, secret_in, secrets_in, told
from tests.authorization_server.racing import in_threads
from tests.settings import AUDIENCE

PAGES = ["secret", "activity", "revoke"]
OFFICE = admin.AdminSite(name="back-office")
OFFICE.register(Client, ClientAdmin)
OFFICE.register(Token, TokenAdmin)
urlpatterns = [
    path("office/", OFFICE.urls),
    path("oauth/", include("django_introspection.urls")),
]


def history() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def active(value: str, auth: Any) -> bool:
    return bool(endpoints.introspect(value, auth=auth).json()["active"])


def test_a_client_is_disabled_and_enabled_again_and_its_tokens_with_it(browser: Browser, machine: Any) -> None:
    token, api = factories.TokenFactory(client=machine.client).access_token, factories.ResourceServerFactory()
    page = browser.get(page_of(machine.client, "activity")).content.decode()

    disabled = browser.post(page_of(machine.client, "activity"), {"is_active": "0"}, follow=True)

    assert ">1 access token<" in page
    assert "was disabled. It cannot authenticate" in told(disabled)
    assert not active(token, api)
    enabled = browser.post(page_of(machine.client, "activity"), {"is_active": "1"}, follow=True)
    assert "was enabled" in told(enabled)
    assert active(token, api)
    assert history() == ["Disabled.", "Enabled."]


def test_a_client_that_is_disabled_twice_is_noted_once(browser: Browser, machine: Any) -> None:
    for _ in range(2):
        browser.post(page_of(machine.client, "activity"), {"is_active": "0"})

    assert not Client.objects.get().is_active
    assert history() == ["Disabled."]


def test_unticking_active_ends_the_client(browser: Browser, machine: Any) -> None:
    browser.post(page_of(machine.client), change_form(machine.client, is_active=None))

    assert endpoints.introspect("x", auth=machine).status_code == 401


def test_all_tokens_of_a_client_are_revoked_after_they_were_counted(browser: Browser, machine: Any, user: Any) -> None:
    for _ in range(2):
        issued = factories.TokenFactory(client=machine.client, user=user, refresh=True)
    factories.TokenFactory(client=machine.client)
    Token.objects.filter(pk=issued.token.pk).update(expires_at=1)
    other = factories.TokenFactory()
    page = browser.get(page_of(machine.client, "revoke")).content.decode()

    response = browser.post(page_of(machine.client, "revoke"), follow=True)

    assert "2 access tokens" in page
    assert "2 refresh tokens" in page
    assert told(response) == "4 tokens were revoked."
    assert [token.pk for token in Token.objects.filter(revoked_at=None)] == [other.token.pk]
    assert history() == ["Revoked all its tokens."]
    assert told(browser.post(page_of(machine.client, "revoke"), follow=True)) == "No tokens had to be revoked."


def test_who_revokes_is_told_that_caches_were_not(
    browser: Browser, machine: Any, settings: Any, tmp_path: Path
) -> None:
    factories.TokenFactory(client=machine.client)
    (tmp_path / "cache").touch()
    cache = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path / "cache")}
    settings.CACHES = {"default": cache}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}

    response = browser.post(page_of(machine.client, "revoke"), follow=True)

    assert "the cache of revocations did not answer" in told(response)
    assert not Token.objects.filter(revoked_at=None).exists()


@pytest.mark.parametrize("page", [*PAGES, "secret/1/retire"])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("pk", ["0", "x", "1_2F"])
@pytest.mark.usefixtures("db")
def test_of_a_client_that_is_not_there_people_are_told_so(browser: Browser, page: str, method: str, pk: str) -> None:
    response = getattr(browser, method)(f"{LIST}{pk}/{page}/", follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "It may have been deleted." in told(response)


def may(staff: Browser, page: str, client: Client) -> bool:
    form = {"secret": secret_form(), "activity": {"is_active": "0"}}.get(page, {})
    answer = staff.post(page_of(client, page), form)
    assert answer.status_code in {200, 302, 403}
    return answer.status_code != 403


@pytest.mark.parametrize(
    ("codenames", "looks", "does"),
    [
        ((), set(), set()),
        (("view_client", "view_clientsecret"), {"list", "change"}, set()),
        (("add_client",), {"add"}, set()),
        (("change_client",), {"list", "change"}, {"secret", "activity"}),
        (("view_client", "revoke_token"), {"list", "change"}, {"revoke"}),
        (("revoke_token", "delete_client"), set(), set()),
        (("add_clientsecret", "change_clientsecret", "view_token"), set(), set()),
    ],
)
def test_every_page_needs_its_permission(
    staff_browser: Any, machine: Any, codenames: tuple[str, ...], looks: set[str], does: set[str]
) -> None:
    tokens = ContentType.objects.get_for_model(Token)
    Permission.objects.get_or_create(codename="revoke_token", content_type=tokens, defaults={"name": "Can revoke"})
    staff = staff_browser(*codenames)
    pages = {"list": LIST, "add": ADD, "change": page_of(machine.client)}

    assert {name for name, url in pages.items() if staff.get(url).status_code == 200} == looks
    assert {page for page in PAGES if may(staff, page, machine.client)} == does
    assert ClientSecret.objects.count() == 1 + ("secret" in does)
    assert Client.objects.get().is_active == ("activity" not in does)


@pytest.mark.parametrize("page", PAGES)
def test_who_may_only_look_is_offered_nothing_and_told_what_is_missing(
    staff_browser: Any, machine: Any, page: str
) -> None:
    staff = staff_browser("view_client")

    shown = staff.get(page_of(machine.client)).content.decode()
    refused = staff.get(page_of(machine.client, page))

    assert machine.client.client_id in shown
    assert machine.secret[-4:] in shown
    assert page_of(machine.client, page) not in shown
    assert "/retire/" not in shown
    missing = "introspection.revoke_token" if page == "revoke" else "introspection.change_client"
    assert refused.status_code == 403
    assert missing in refused.content.decode()


def test_who_may_add_and_not_look_sees_the_secret_and_no_way_to_the_client(staff_browser: Any) -> None:
    staff = staff_browser("add_client")

    form = add_form()
    page = staff.post(ADD, form)

    assert secret_in(page)
    assert page_of(Client.objects.get()) not in page.content.decode()
    assert staff.post(ADD, form)["Location"] == "/admin/"


def test_a_stranger_is_sent_to_the_login(machine: Any) -> None:
    for page in PAGES:
        assert "/login/" in Browser().post(page_of(machine.client, page), secret_form())["Location"]
    assert ClientSecret.objects.count() == 1


@pytest.mark.urls(__name__)
def test_every_page_works_on_another_site_and_leads_to_pages_of_that_site_alone(browser: Browser, user: Any) -> None:
    def office(url: str) -> str:
        return url.replace("/admin/", "/office/")

    answers = [browser.get(office(LIST)), browser.get(office(ADD)), browser.post(office(ADD), add_form("both"))]
    client = Client.objects.get()
    pages = ["change", *PAGES, f"secret/{client.secrets.get().pk}/retire", "history", "delete"]
    answers += [browser.get(office(page_of(client, page))) for page in pages]
    answers += [browser.post(office(page_of(client, "secret")), secret_form())]
    sent = browser.post(office(page_of(client, "activity")), {"is_active": "0"})

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert not [answer.request["PATH_INFO"] for answer in answers if b"/admin/introspection/" in answer.content]
    assert sent["Location"] == office(page_of(client))


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("what", ["client", "secret"])
def test_a_form_that_is_sent_twice_at_once_does_its_work_once(what: str) -> None:
    machine = factories.RegistrationFactory()
    superuser = factories.User.objects.create_superuser("root", password="x")
    browsers = [Browser(raise_request_exception=False) for _ in range(4)]
    for browser in browsers:
        browser.force_login(superuser)
    url, form = (
        (ADD, add_form(client_id="")) if what == "client" else (page_of(machine.client, "secret"), secret_form())
    )
    together, answers = threading.Barrier(4), []

    def send(browser: Browser) -> None:
        together.wait(timeout=60)
        answers.append(browser.post(url, form))

    in_threads([partial(send, browser) for browser in browsers])

    assert [len(secrets_in(answer)) for answer in answers].count(1) == 1
    assert sorted(answer.status_code for answer in answers) == [200, 302, 302, 302]
    assert ClientSecret.objects.count() == 2
    assert Client.objects.count() == (2 if what == "client" else 1)


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("page", ["retire", "activity", "revoke", "revoke a user", "revoke a token"])
def test_a_confirmation_that_is_sent_twice_at_once_is_answered_twice(page: str) -> None:
    user = factories.User.objects.create_superuser("root", password="x")
    issued = factories.TokenFactory(user=user)
    client = issued.token.client
    url, form = {
        "retire": (page_of(client, f"secret/{client.secrets.get().pk}/retire"), {}),
        "activity": (page_of(client, "activity"), {"is_active": "0"}),
        "revoke": (page_of(client, "revoke"), {}),
        "revoke a user": (f"/admin/introspection/token/user/{user.pk}/revoke/", {}),
        "revoke a token": (f"/admin/introspection/token/{issued.token.pk}/revoke/", {"grant": ""}),
    }[page]
    browsers = [Browser(raise_request_exception=False) for _ in range(4)]
    for browser in browsers:
        browser.force_login(user)
    together, answers = threading.Barrier(4), []

    def send(browser: Browser) -> None:
        together.wait(timeout=60)
        answers.append(browser.post(url, form))

    in_threads([partial(send, browser) for browser in browsers])

    assert [answer.status_code for answer in answers] == [302] * 4


PURPOSES = {
    "resource-server": {"settings.py of a Django resource server", "Introspect a token with curl"},
    "machine": {"Get a token with curl"},
}
PURPOSES["both"] = PURPOSES["resource-server"] | PURPOSES["machine"]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_snippets_are_those_of_the_purpose_and_have_no_secret(browser: Browser, purpose: str) -> None:
    page = browser.post(ADD, add_form(purpose))

    made = {str(snippet.title): snippet.text for snippet in page.context["snippets"]}
    assert made.keys() == PURPOSES[purpose] | {"Environment variables"}
    assert not [text for text in made.values() if page.context["secret"] in text]
    urls = "".join(made.values())
    assert ("https://auth.example.com/oauth/token" in urls) == ("Get a token with curl" in made)
    assert ("https://auth.example.com/oauth/introspect" in urls) == ("Introspect a token with curl" in made)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("resources", [AUDIENCE, f"{AUDIENCE}\nurn:a%22'b"])
def test_the_settings_of_the_snippet_make_a_backend(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, method: str, resources: str
) -> None:
    form = add_form("resource-server", resources=resources, token_endpoint_auth_method=method)
    page = browser.post(ADD, form)
    monkeypatch.setenv("INTROSPECTION_CLIENT_ID", "orders")
    monkeypatch.setenv("INTROSPECTION_CLIENT_SECRET", page.context["secret"])
    made: dict[str, Any] = {}
    exec(page.context["snippets"][1].text, made)  # noqa: S102

    entry = made["TOKEN_INTROSPECTION"]["BACKENDS"]["default"]
    backend = import_string(entry["BACKEND"])("default", entry["OPTIONS"])

    assert set(backend.audience) == set(resources.split("\n"))


def test_the_snippets_name_the_server_of_the_page_where_there_is_no_issuer(browser: Browser, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    page = browser.post(ADD, add_form(), headers={"Host": "localhost:8000"})

    assert "http://localhost:8000/oauth/token" in page.context["snippets"][-1].text
    assert AUDIENCE in page.context["snippets"][-1].text
