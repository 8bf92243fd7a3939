from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.authorization_server.issuing import add_secret
from django_introspection.models import Client, ClientSecret
from django_introspection.models.fields import now
from tests import endpoints
from tests.admin.client_pages import ADD, LIST, add_form, page_of, secret_form, secret_in, secrets_in, told
from tests.authorization_server.helpers import everything_stored, refusing, sqlite_only

DAY = 24 * 60 * 60


def retire_page(secret: ClientSecret) -> str:
    return page_of(secret.client, f"secret/{secret.pk}/retire")


def accepted(client: Client, *secrets: str) -> list[bool]:
    return [endpoints.introspect("x", auth=(client, secret)).status_code == 200 for secret in secrets]


def test_a_further_secret_leaves_the_first_alive_until_that_is_retired(browser: Browser, machine: Any) -> None:
    client, first = machine
    second = secret_in(browser.post(page_of(client, "secret"), secret_form()))
    assert accepted(client, first, second) == [True, True]

    answer = browser.post(retire_page(ClientSecret.objects.earliest("pk")), follow=True)

    assert accepted(client, first, second) == [False, True]
    assert f"ending in {first[-4:]} was retired" in told(answer)


def test_the_form_asks_before_a_secret_is_made(browser: Browser, machine: Any) -> None:
    response = browser.get(page_of(machine.client, "secret"))

    assert "The client has 1 live secret." in response.content.decode()
    assert ClientSecret.objects.count() == 1


def test_a_new_secret_can_expire_and_the_old_ones_with_it(browser: Browser, machine: Any) -> None:
    client = machine.client
    add_secret(client, expires_at=now() + timedelta(minutes=5))

    browser.post(page_of(client, "secret"), secret_form(lifetime=90 * DAY, others=DAY))

    lives = [round((each.expires_at - now()).total_seconds(), -2) for each in client.secrets.order_by("pk")]
    assert lives == [DAY, 300, 90 * DAY]


@pytest.mark.parametrize("name", ["lifetime", "others"])
def test_a_life_that_was_not_offered_makes_no_secret(browser: Browser, machine: Any, name: str) -> None:
    response = browser.post(page_of(machine.client, "secret"), secret_form(**{name: "1"}))

    assert response.context["form"].errors.keys() == {name}
    assert not secrets_in(response)
    assert ClientSecret.objects.count() == 1


def test_a_form_that_is_sent_again_makes_no_second_secret(browser: Browser, machine: Any) -> None:
    form = secret_form()
    secret = secret_in(browser.post(page_of(machine.client, "secret"), form))

    again = browser.post(page_of(machine.client, "secret"), form, follow=True)

    assert "was sent before" in told(again)
    assert secret not in again.content.decode()
    assert ClientSecret.objects.count() == 2


def test_the_form_that_made_a_secret_makes_none_after_it_was_retired(browser: Browser, machine: Any) -> None:
    form = secret_form()
    browser.post(page_of(machine.client, "secret"), form)
    browser.post(retire_page(ClientSecret.objects.latest("pk")))

    assert not secrets_in(browser.post(page_of(machine.client, "secret"), form, follow=True))


def test_a_form_without_its_name_makes_no_secret(browser: Browser, machine: Any) -> None:
    response = browser.post(page_of(machine.client, "secret"))

    assert "send it again" in response.content.decode()
    assert ClientSecret.objects.count() == 1


def test_the_page_with_a_further_secret_is_not_cached_and_is_logged(browser: Browser, machine: Any) -> None:
    response = browser.post(page_of(machine.client, "secret"), secret_form())

    assert "no-store" in response["Cache-Control"]
    assert LogEntry.objects.latest("pk").get_change_message() == "Added a secret."


@sqlite_only
def test_the_history_has_no_secret_that_could_not_be_made(superuser: Any, machine: Any) -> None:
    browser = Browser(raise_request_exception=False)
    browser.force_login(superuser)
    with refusing("INSERT", ClientSecret):
        response = browser.post(page_of(machine.client, "secret"), secret_form())

    assert response.status_code == 500
    assert not secrets_in(response)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("page", ["secret", "activity", "revoke"])
@pytest.mark.parametrize("method", ["put", "delete"])
def test_the_pages_are_looked_at_and_sent_alone(browser: Browser, machine: Any, page: str, method: str) -> None:
    assert getattr(browser, method)(page_of(machine.client, page)).status_code == 405


@pytest.mark.parametrize(
    ("page", "form"), [("secret", secret_form()), ("activity", {"is_active": "0"}), ("revoke", {})]
)
def test_the_pages_need_the_csrf_token(superuser: Any, machine: Any, page: str, form: dict[str, Any]) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert browser.post(page_of(machine.client, page), form).status_code == 403
    assert not LogEntry.objects.exists()


def used(secret: ClientSecret, ago: int | None) -> None:
    at = None if ago is None else now() - timedelta(minutes=ago)
    ClientSecret.objects.filter(pk=secret.pk).update(last_used_at=at)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (None, None, "No other live secret was used after this one"),
        (5, None, "No other live secret was used after this one"),
        (5, 9, "No other live secret was used after this one"),
        (5, 2, "was used after this one, last on"),
        (None, 2, "was used after this one, last on"),
    ],
)
def test_who_retires_a_secret_is_told_whether_another_is_in_use(
    browser: Browser, machine: Any, old: int | None, new: int | None, said: str
) -> None:
    add_secret(machine.client)
    first, second = machine.client.secrets.order_by("pk")
    used(first, old)
    used(second, new)

    page = browser.get(retire_page(first)).content.decode()

    assert said in page
    assert ("This secret was never used" in page) == (old is None)


def test_who_retires_the_only_live_secret_is_warned(browser: Browser, machine: Any) -> None:
    add_secret(machine.client, expires_at=now() - timedelta(days=1))

    page = browser.get(retire_page(ClientSecret.objects.earliest("pk"))).content.decode()

    assert "This is the only live secret" in page


def test_a_secret_that_is_retired_twice_is_said_to_be_ended(browser: Browser, machine: Any) -> None:
    secret = ClientSecret.objects.get()
    browser.post(retire_page(secret))
    ended = ClientSecret.objects.get().expires_at

    again = browser.post(retire_page(secret), follow=True)

    assert "had expired already" in told(again)
    assert ClientSecret.objects.get().expires_at == ended
    assert [entry.get_change_message()[:30] for entry in LogEntry.objects.all()] == [
        "Retired the secret made at " + str(now().year)[:3]
    ]


def test_a_secret_of_another_client_is_not_retired(browser: Browser, machine: Any, resource_server: Any) -> None:
    theirs = resource_server.client.secrets.get()

    browser.post(page_of(machine.client, f"secret/{theirs.pk}/retire"))

    assert theirs.is_live(now())
    assert accepted(resource_server.client, resource_server.secret) == [True]


@pytest.mark.parametrize(
    ("lives", "uses", "warning"),
    [
        ([None], [1], None),
        ([5], [1], "The last live secret expires within 30 days"),
        ([-5], [1], "no live secret and cannot authenticate"),
        ([None, None], [None, 1], "was never used, although there is a newer one"),
        ([5, None], [9, 1], None),
    ],
)
def test_the_page_of_a_client_warns_of_what_has_to_be_seen_to(
    browser: Browser, machine: Any, lives: list[int | None], uses: list[int | None], warning: str | None
) -> None:
    for _ in lives[1:]:
        add_secret(machine.client)
    for secret, days, ago in zip(machine.client.secrets.order_by("pk"), lives, uses, strict=True):
        expires_at = None if days is None else now() + timedelta(days=days)
        ClientSecret.objects.filter(pk=secret.pk).update(expires_at=expires_at)
        used(secret, ago)

    page = browser.get(page_of(machine.client)).content.decode()

    assert (warning or "") in page
    assert ("introspection-warning" in page) == (warning is not None)


@pytest.mark.parametrize(
    ("days", "ago", "state", "notes"),
    [
        (None, 1, None, ["live"]),
        (None, None, "unused", ["live", "never used"]),
        (30, 1, "soon", ["live", "expires soon"]),
        (31, 1, None, ["live"]),
        (-1, 1, "expired", ["expired"]),
        (-1, None, "expired", ["expired", "never used"]),
    ],
)
def test_the_state_of_a_secret_is_shown_and_found(
    browser: Browser, machine: Any, days: int | None, ago: int | None, state: str | None, notes: list[str]
) -> None:
    secret = ClientSecret.objects.get()
    ClientSecret.objects.update(expires_at=None if days is None else now() + timedelta(days=days))
    used(secret, ago)

    (shown,) = browser.get(page_of(machine.client)).context["secrets"]

    assert [str(note) for note in shown.notes] == notes
    found = [
        each
        for each in ("soon", "expired", "unused")
        if browser.get(LIST, {"secrets": each}).context["cl"].result_count
    ]
    assert found == ([state] if state else [])


def test_a_secret_is_nowhere_but_in_the_answer_that_made_it(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    added = browser.post(ADD, add_form("both"))
    client = Client.objects.get()
    shown = [secret_in(added), secret_in(browser.post(page_of(client, "secret"), secret_form()))]

    pages = [LIST, page_of(client), page_of(client, "history"), page_of(client, "delete"), page_of(client, "secret")]
    pages += [retire_page(secret) for secret in ClientSecret.objects.all()]
    texts = [browser.get(page).content.decode() for page in [*pages, "/admin/"]]
    texts += [everything_stored(), caplog.text, repr(dict(browser.session)), repr(browser.cookies), repr(added.headers)]
    texts += [repr(each) for each in (*LogEntry.objects.values(), client, *ClientSecret.objects.all())]

    assert shown[0] != shown[1]
    assert not [text for text in texts for secret in shown if secret in text]
    assert all(secret[-4:] in texts[1] for secret in shown)
