from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from django_introspection.models import Client, Token
from tests import endpoints, factories
from tests.authorization_server.helpers import everything_stored
from tests.browser.clicking import click_twice
from tests.settings import AUDIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("operator")]

LIST = "/admin/introspection/client/"
Examine = Callable[[str], None]


def add(page: Any, purpose: str, **entries: str) -> str:
    """Fill in the form for a new client and send it; returns the secret that is shown."""
    page.goto(f"{LIST}add/")
    page.get_by_role("radio", name=purpose).check()
    for label, text in entries.items():
        page.get_by_label(f"{label.replace('_', ' ')}:", exact=True).fill(text)
    page.get_by_role("button", name="Save", exact=True).click()
    return shown_secret(page)


def shown_secret(page: Any) -> str:
    secret: str = page.locator("#client-secret").inner_text()
    return secret


def copied(page: Any, button: Any) -> str:
    page.evaluate("document.getElementById('copy-status').textContent = ''")
    button.click()
    page.get_by_text("Copied.").wait_for()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def test_an_operator_registers_a_resource_server_and_sets_it_up(page: Any, examine: Examine) -> None:
    page.goto(f"{LIST}add/")
    assert not page.get_by_label("Allowed resources").is_visible()
    examine("client-add")

    secret = add(page, "Resource server", Name="Orders API", Resources_served=AUDIENCE, Scopes_served="orders:read")

    client = Client.objects.get()
    assert endpoints.introspect("unknown", auth=(client, secret)).status_code == 200
    examine("client-secret")
    assert copied(page, page.get_by_role("button", name="Copy secret")) == secret
    assert copied(page, page.get_by_role("button", name="Copy client ID")) == client.client_id
    environment = copied(page, page.get_by_role("button", name="Copy", exact=True).first)
    assert environment == f"INTROSPECTION_CLIENT_ID={client.client_id}\nINTROSPECTION_CLIENT_SECRET={secret}\n"


@pytest.mark.parametrize("method", ["header", "body"])
def test_the_calls_with_curl_work_as_they_are_copied(page: Any, live_server: Any, settings: Any, method: str) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": live_server.url}
    page.goto(f"{LIST}add/")
    page.get_by_role("heading", name="Authentication").click()
    page.get_by_label("Authentication method:").select_option(index=["header", "body"].index(method))
    page.get_by_label("Client ID:").fill("a:b%c'd$HOME+\"")
    page.get_by_role("radio", name="Both").check()
    page.get_by_label("Name:").fill("Orders API")
    page.get_by_label("Resources served:").fill(AUDIENCE)
    page.get_by_label("Allowed resources:").fill(AUDIENCE)
    page.get_by_label("Scope:").fill("orders:read orders:write")
    page.get_by_role("button", name="Save", exact=True).click()
    buttons = page.get_by_role("button", name="Copy", exact=True)
    environment, _, ask, get = [copied(page, buttons.nth(number)) for number in range(4)]

    token = run(environment, get)["access_token"]
    answer = run(environment, f"TOKEN={token}", ask)

    assert (answer["active"], answer["scope"]) == (True, "orders:read orders:write")


def run(*lines: str) -> Any:
    """Run what was copied in a shell and return what it answers."""
    finished = subprocess.run(["sh", "-euc", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(finished.stdout)


def test_a_page_that_shows_a_secret_is_reloaded_and_shows_it_no_more(page: Any, examine: Examine) -> None:
    secret = add(page, "Machine client", Name="Billing", Scope="orders:read")

    page.reload()

    page.get_by_text("This form was sent before").wait_for()
    assert secret not in page.content()
    assert Client.objects.get().secrets.count() == 1
    page.go_back()
    page.go_back()
    page.go_forward()
    assert secret not in page.content()


def test_a_secret_is_shown_once_and_kept_nowhere(page: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    requests: list[Any] = []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - it cannot mark a built-in

    secret = add(page, "Both", Name="Orders API", Resources_served=AUDIENCE, Scope="orders:read")
    shown = page.content()
    page.get_by_role("link", name="I have copied it").click()
    others = [page.content()]
    page.get_by_role("link", name="History").click()
    others.append(page.content())
    for url in (LIST, "/admin/"):
        page.goto(url)
        others.append(page.content())

    assert shown.count(secret) == 1
    others += [part for request in requests for part in (request.url, str(request.headers), request.post_data or "")]
    others.append(
        page.evaluate("[document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)].join()")
    )
    others += [str(page.context.cookies()), caplog.text, everything_stored()]
    others += [str(session.get_decoded()) for session in Session.objects.all()]
    assert not [text for text in others if secret in text]


def test_a_second_click_makes_one_client_and_shows_its_secret(page: Any) -> None:
    page.goto(f"{LIST}add/")
    page.get_by_role("radio", name="Machine client").check()
    page.get_by_label("Name:").fill("Billing")
    click_twice(page, "Save")
    page.locator("#client-secret").wait_for()

    client = Client.objects.get()
    page.goto(f"{LIST}{client.pk}/change/")
    page.get_by_role("link", name="Add secret").click()
    click_twice(page, "Add secret")
    page.locator("#client-secret").wait_for()
    assert client.secrets.count() == 2


def test_an_operator_replaces_a_secret_without_a_pause(page: Any, machine: Any, examine: Examine) -> None:
    client, first = machine
    endpoints.introspect("x", auth=machine)
    page.goto(f"{LIST}{client.pk}/change/")
    page.get_by_role("link", name="Add secret").click()
    page.get_by_label("New secret expires").select_option("in 90 days")
    examine("client-add-secret")
    page.get_by_role("button", name="Add secret").click()
    second = shown_secret(page)
    with page.expect_navigation():
        page.get_by_role("link", name="I have copied it").click()
    examine("client-change")

    page.get_by_role("link", name=f"Retire the secret ending in {first[-4:]}").click()
    page.get_by_text("No other live secret was used after this one").wait_for()
    examine("client-retire-too-early")
    page.get_by_role("link", name="No, take me back").click()
    assert endpoints.introspect("x", auth=(client, second)).status_code == 200
    client.secrets.filter(hint=first[-4:]).update(last_used_at=1_790_000_000)
    page.get_by_role("link", name=f"Retire the secret ending in {first[-4:]}").click()
    page.get_by_text("was used after this one, last on").wait_for()
    examine("client-retire")
    page.get_by_role("button", name="Yes, retire it").click()

    page.get_by_text("was retired. It is refused from now on.").wait_for()
    assert endpoints.introspect("x", auth=(client, first)).status_code == 401
    assert endpoints.introspect("x", auth=(client, second)).status_code == 200
    examine("client-retired")


def test_an_operator_disables_a_client_and_revokes_its_tokens(page: Any, machine: Any, examine: Examine) -> None:
    for _ in range(3):
        endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, auth=machine)
    page.goto(f"{LIST}{machine.client.pk}/change/")
    page.get_by_role("link", name="Revoke all tokens").click()
    page.get_by_text("3 access tokens").wait_for()
    examine("client-revoke")
    page.get_by_role("button", name="Yes, revoke them").click()
    page.get_by_text("3 tokens were revoked.").wait_for()
    with page.expect_navigation():
        page.get_by_role("link", name="Disable").click()
    examine("client-disable")
    page.get_by_role("button", name="Yes, disable it").click()

    page.get_by_text("was disabled. It cannot authenticate").first.wait_for()
    examine("client-disabled")
    assert endpoints.introspect("x", auth=machine).status_code == 401
    assert not machine.client.tokens.filter(revoked_at=None).exists()


def test_the_list_says_what_has_to_be_seen_to(page: Any, machine: Any, resource_server: Any, examine: Examine) -> None:
    page.goto(LIST)
    examine("client-list")
    page.get_by_role("link", name="machine client", exact=True).click()

    page.wait_for_url("**purpose=machine**")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    assert page.get_by_role("link", name=machine.client.client_name, exact=True).is_visible()
    assert not page.get_by_role("link", name=resource_server.client.client_name, exact=True).is_visible()


def test_an_operator_disables_several_clients(page: Any, examine: Examine) -> None:
    page.goto(LIST)
    page.get_by_text("There are no clients yet.").wait_for()
    examine("client-list-empty")
    clients = [factories.RegistrationFactory(client_name=name).client for name in ("Shop", "Billing", "Reports")]
    Token.objects.issue(client=clients[0], refresh=True)
    page.goto(LIST)
    for name in ("Shop", "Billing"):
        page.get_by_role("row", name=name).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Disable selected clients")
    with page.expect_navigation():
        page.locator(".actions button[name=index]").click()
    examine("client-disable-selected")
    page.get_by_role("button", name="Yes, disable them").click()
    page.get_by_text("2 clients were disabled.").wait_for()

    assert set(Client.objects.filter(is_active=True).values_list("client_name", flat=True)) == {"Reports"}


def test_an_operator_deletes_a_client_and_reads_what_ends_with_it(page: Any, machine: Any, examine: Examine) -> None:
    for _ in range(3):
        factories.TokenFactory(client=machine.client, user=factories.UserFactory())
    page.goto(f"{LIST}{machine.client.pk}/delete/")
    page.get_by_text("3 live tokens will be revoked and deleted.").wait_for()
    examine("client-delete")
    page.get_by_role("button", name="Yes, ").click()
    page.get_by_text("3 tokens were revoked.").wait_for()

    assert not Token.objects.exists()


def test_the_pages_can_be_read_from_right_to_left(page: Any, machine: Any, examine: Examine, settings: Any) -> None:
    settings.LANGUAGE_CODE = "ar"
    token = factories.TokenFactory(client=machine.client, user=factories.UserFactory()).token
    for name, path in {
        "client-change": f"{LIST}{machine.client.pk}/change/",
        "token-list": "/admin/introspection/token/",
        "token": f"/admin/introspection/token/{token.pk}/change/",
        "token-issue": "/admin/introspection/token/issue/",
    }.items():
        page.goto(path)
        assert page.locator("html").get_attribute("dir") == "rtl"
        examine(f"arabic-{name}")

    assert page.locator("#id_scope").get_attribute("dir") == "ltr"


def test_who_may_only_look_is_told_what_is_missing(
    page: Any, machine: Any, log_in: Callable[[Any], Any], problems: list[str], examine: Examine
) -> None:
    looker = factories.User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_client"))
    log_in(looker)
    page.goto(f"{LIST}{machine.client.pk}/change/")
    assert not page.get_by_role("link", name="Add secret").is_visible()
    examine("client-view")

    page.goto(f"{LIST}{machine.client.pk}/secret/")

    page.get_by_text("introspection.change_client").wait_for()
    examine("permission-denied")
    assert "403" in problems.pop()


def test_a_whole_story_is_done_with_the_keyboard(page: Any) -> None:
    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    def tab_to(name: str) -> None:
        """Go on with Tab until what has the focus is called so."""
        page.wait_for_load_state()
        called = "e => (e.labels?.[0] ?? e).textContent.trim() || e.value"
        for _ in range(80):
            press("Tab")
            if page.evaluate(f"({called})(document.activeElement)").startswith(name):
                return
        pytest.fail(f"{name} is not reached")

    page.goto(LIST)
    tab_to("Add client")
    press("Enter")
    expect(page).to_have_title(re.compile(r"^Add client"))
    tab_to("Resource server")
    press("ArrowDown")
    tab_to("Name")
    page.keyboard.type("Billing")
    tab_to("Scope")
    page.keyboard.type("orders:read")
    press("Enter")
    secret = shown_secret(page)
    tab_to("Copy secret")
    press("Enter")
    page.get_by_text("Copied.").wait_for()
    tab_to("I have copied it")
    press("Enter")
    expect(page).to_have_title(re.compile(r"^Billing"))
    tab_to("Add secret")
    press("Enter")
    expect(page).to_have_title(re.compile(r"^Billing \| Add secret"))
    tab_to("New secret expires")
    press("ArrowDown")
    tab_to("Add secret")
    press("Enter")

    expect(page).to_have_title(re.compile(r"^Billing \| New secret"))
    client = Client.objects.get()
    assert client.secrets.count() == 2
    assert client.secrets.latest("pk").expires_at is not None
    assert endpoints.introspect("x", auth=(client, secret)).status_code == 200
