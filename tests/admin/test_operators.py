"""What operators look for: many clients at once, links from counts to lists, moments, identifiers and empty lists."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.models import Client, ClientSecret, Token
from tests import factories, jose
from tests.admin.client_pages import LIST, add_form, change_form, page_of, told
from tests.settings import AUDIENCE

TOKENS = "/admin/introspection/token/"
NOON = datetime(2026, 11, 26, 22, 14, tzinfo=UTC)


def text_of(response: Any) -> str:
    """The text of a page without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def choose(browser: Browser, action: str, *clients: Client, **more: str) -> Any:
    form = {"action": action, "_selected_action": [str(client.pk) for client in clients], **more}
    return browser.post(LIST, form, follow=True)


def active() -> set[str]:
    return set(Client.objects.filter(is_active=True).values_list("client_id", flat=True))


def test_several_clients_are_disabled_and_enabled_at_once(browser: Browser) -> None:
    one, two, three = (factories.RegistrationFactory().client for _ in range(3))
    Token.objects.issue(client=one, refresh=True)

    asked = choose(browser, "disable_clients", one, two)
    assert f"{one} ( {one.client_id} ): 1 access, 1 refresh" in text_of(asked)
    assert len(active()) == 3
    assert told(choose(browser, "disable_clients", one, two, confirmed="yes")) == "2 clients were disabled."

    assert active() == {three.client_id}
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {"Disabled."}
    assert told(choose(browser, "disable_clients", one)) == "The selected clients are disabled already."
    assert told(choose(browser, "enable_clients", one, two, three, confirmed="yes")) == "2 clients were enabled."
    assert len(active()) == 3
    assert LogEntry.objects.count() == 4


def test_an_operator_who_may_only_view_clients_disables_none(staff_browser: Any, machine: Any) -> None:
    choose(staff_browser("view_client"), "disable_clients", machine.client, confirmed="yes")

    assert active() == {machine.client.client_id}


def test_the_list_of_clients_shows_when_each_was_made_and_used(browser: Browser, machine: Any) -> None:
    Client.objects.update(created_at=NOON)
    assert ">-</td>" in browser.get(LIST).content.decode()
    ClientSecret.objects.update(last_used_at=NOON.replace(day=25))

    page = text_of(browser.get(LIST))

    assert "2026-11-26 22:14 UTC" in page
    assert "2026-11-25 22:14 UTC" in page
    assert browser.get(LIST, {"o": "-6"}).status_code == 200


def test_the_page_of_a_client_leads_to_its_tokens(browser: Browser, machine: Any) -> None:
    client = machine.client
    factories.TokenFactory(client=client, refresh=True)
    factories.TokenFactory()
    page = unescape(browser.get(page_of(client)).content.decode())

    for kind in ("access", "refresh"):
        link = f"{TOKENS}?client={client.client_id}&kind={kind}&state=active"
        assert f'href="{link}">1 {kind} token<' in page
        assert len(browser.get(link).context["cl"].result_list) == 1
    assert f'href="{TOKENS}issue/?client_id={client.client_id}"' in page
    assert f'href="{TOKENS}debugger/?caller={client.client_id}"' in page
    assert f'value="{client.client_id}"' in browser.get(f"{TOKENS}debugger/?caller={client.client_id}").content.decode()


def test_the_tokens_of_a_disabled_client_are_found_by_the_link_as_well(browser: Browser, machine: Any) -> None:
    factories.TokenFactory(client=machine.client)
    Client.objects.update(is_active=False)

    (link,) = re.findall(r'href="([^"]+kind=access[^"]+)"', browser.get(page_of(machine.client)).content.decode())

    assert len(browser.get(unescape(link)).context["cl"].result_list) == 1


def test_without_the_permission_to_view_tokens_their_count_is_no_link(staff_browser: Any, machine: Any) -> None:
    factories.TokenFactory(client=machine.client)

    page = staff_browser("view_client").get(page_of(machine.client)).content.decode()

    assert "1 access token" in page
    assert TOKENS not in page


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("use_tz", [True, False])
def test_every_page_shows_moments_in_utc_and_names_the_zone(
    browser: Browser, settings: Any, zone: str, use_tz: bool
) -> None:
    settings.TIME_ZONE, settings.USE_TZ = zone, use_tz
    issued = factories.TokenFactory(lifetime=None)
    far = NOON.replace(year=2096)
    Token.objects.update(expires_at=far, revoked_at=NOON, revoked_by="operator jo")
    ClientSecret.objects.update(last_used_at=NOON)
    token = f"{TOKENS}{issued.token.pk}"

    assert "2096-11-26 22:14 UTC" in text_of(browser.get(TOKENS))
    for page in (f"{token}/change/", page_of(issued.token.client), f"{token}/revoke/"):
        text = text_of(browser.get(page))
        assert "10:14 p.m. UTC" in text, page
        assert re.findall(r"[ap]\.m\.(?! UTC)", text) == [], page
    debugged = text_of(browser.post(f"{TOKENS}debugger/", {"token": issued.access_token, "backend": "default"}))
    assert "expires Nov. 26, 2096, 10:14 p.m. UTC" in debugged


def test_an_identifier_is_short_in_the_list_and_whole_on_the_page(browser: Browser, machine: Any) -> None:
    token = factories.TokenFactory(client=machine.client).token
    key = str(token.pk)

    assert f'<code dir="ltr" title="{key}">…{key[-8:]}</code>' in browser.get(TOKENS).content.decode()
    assert f'<code dir="ltr">{key}</code>' in browser.get(f"{TOKENS}{key}/change/").content.decode()


def test_the_page_of_a_token_lists_its_audience(browser: Browser, machine: Any) -> None:
    token = factories.TokenFactory(client=machine.client, audience=[AUDIENCE, "urn:invoices"]).token
    page = browser.get(f"{TOKENS}{token.pk}/change/")

    html, text = page.content.decode(), text_of(page)
    assert f'<li><code dir="ltr">{AUDIENCE}</code></li><li><code dir="ltr">urn:invoices</code></li>' in html
    assert "Revoked: -" in text
    assert "Further members: -" in text
    assert "ID:" in text
    assert "None" not in text


def test_public_keys_start_empty_and_stay_so(browser: Browser, machine: Any) -> None:
    for page in (f"{LIST}add/", page_of(machine.client)):
        assert re.search(r'<textarea name="jwks"[^>]*>\s*</textarea>', browser.get(page).content.decode()), page
    browser.post(page_of(machine.client), change_form(machine.client, scope="orders:read", jwks=""))

    assert Client.objects.get().jwks == {}
    assert LogEntry.objects.get().get_change_message() == "Changed Scope."


def test_changed_keys_are_noted_in_the_history(browser: Browser, machine: Any) -> None:
    keys = {"keys": [jose.public("ES256", kid="a")]}
    entries = {"jwks": json.dumps(keys), "token_endpoint_auth_method": "private_key_jwt"}
    browser.post(page_of(machine.client), change_form(machine.client, **entries))
    client = Client.objects.get()

    assert client.jwks == keys
    browser.post(page_of(client), change_form(client, scope="orders:read", jwks=json.dumps(keys)))
    assert "Public keys" in LogEntry.objects.earliest("pk").get_change_message()
    assert LogEntry.objects.latest("pk").get_change_message() == "Changed Scope."


def test_an_empty_list_says_what_to_do_next(browser: Browser) -> None:
    assert "There are no clients yet." in text_of(browser.get(LIST))
    assert f'href="{LIST}add/">Add client' in browser.get(LIST).content.decode()
    assert "no client is registered. Add client" in text_of(browser.get(TOKENS))
    machine = factories.RegistrationFactory().client
    assert "A client requests them at the token endpoint, or an operator issues one. Issue token" in text_of(
        browser.get(TOKENS)
    )
    factories.TokenFactory(client=machine)
    assert "There are no" not in text_of(browser.get(LIST)) + text_of(browser.get(TOKENS))
    assert "No tokens match. Show all tokens" in text_of(browser.get(TOKENS, {"state": "expired"}))
    assert "No clients match. Show all clients" in text_of(browser.get(LIST, {"q": "nobody"}))


def test_an_operator_is_offered_no_next_step_without_its_permission(staff_browser: Any) -> None:
    staff = staff_browser("view_client", "view_token")

    assert "Add client" not in text_of(staff.get(LIST)) + text_of(staff.get(TOKENS))


ERROR = "Please correct the error below."


def test_errors_of_the_own_forms_look_like_those_of_django(browser: Browser, machine: Any) -> None:
    stock = browser.post(f"{LIST}add/", add_form(client_name="")).content.decode()
    pages = [
        browser.post(f"{TOKENS}issue/", {"client": machine.client.pk, "lifetime": "0"}),
        browser.post(f"{TOKENS}debugger/", {"token": "", "backend": "default"}),
        browser.post(page_of(machine.client, "secret"), {"lifetime": "1"}),
    ]

    for page in (stock, *(page.content.decode() for page in pages)):
        assert "<title>" in page
        assert "Error:" in page.split("</title>")[0]
        assert '<p class="errornote">' in page
        assert re.search(r'class="form-row[^"]*errors|class="flex-container errors', page)


def test_breadcrumbs_are_those_of_this_version_of_django(browser: Browser, machine: Any) -> None:
    pages = [f"{TOKENS}issue/", f"{TOKENS}debugger/", f"{TOKENS}overview/", page_of(machine.client, "secret")]
    stock = re.findall(r"<(ol|div) class=\"breadcrumbs\"", browser.get(LIST).content.decode())

    for page in pages:
        html = browser.get(page).content.decode()
        assert re.findall(r"<(ol|div) class=\"breadcrumbs\"", html) == stock
        assert f'<a href="{LIST if "client" in page else TOKENS}">' in html
