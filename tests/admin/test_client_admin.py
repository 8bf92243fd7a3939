from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.models import Client, ClientSecret
from tests import endpoints, jose
from tests.authorization_server.helpers import everything_stored, refusing, sqlite_only
from tests.settings import AUDIENCE

LIST = "/admin/introspection/client/"
ADD = f"{LIST}add/"
FORM = {
    "client_name": "Orders <API>",
    "client_id": "orders",
    "is_active": "on",
    "token_endpoint_auth_method": "client_secret_basic",
    "grant_types": ["client_credentials"],
    "scope": "orders:read orders:write",
    "allowed_resources": f"{AUDIENCE}\r\n\r\n  urn:invoices \r\n{AUDIENCE}\r\n",
    "resources": "",
    "resource_scopes": "",
    "introspection_policy": "own",
    "access_token_format": "opaque",
}


def secret_in(response: Any) -> str:
    found = re.findall(r"dit_cs_[0-9A-Za-z]+", response.content.decode())
    assert len(found) == 1
    return str(found[0])


def change(client: Client) -> str:
    return f"{LIST}{client.pk}/change/"


def add_secret(client: Client) -> str:
    return f"{LIST}{client.pk}/secret/"


def change_form(client: Client, **changes: Any) -> dict[str, Any]:
    """The form of the change page as a browser sends it back."""
    rows = list(client.secrets.order_by("pk"))
    form = {name: value for name, value in FORM.items() if name != "client_id"}
    form["allowed_resources"] = "\r\n".join(client.allowed_resources)
    form |= {"secrets-TOTAL_FORMS": len(rows), "secrets-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        form |= {f"secrets-{number}-id": row.pk, f"secrets-{number}-client": client.pk}
    return form | changes


@pytest.fixture
def added(browser: Browser) -> Any:
    """The answer to the form that adds a client."""
    return browser.post(ADD, FORM)


def test_the_form_shows_the_secret_of_a_new_client_and_it_works(added: Any) -> None:
    client = Client.objects.get()

    secret = secret_in(added)

    assert added.status_code == 200
    assert (client.client_id, client.client_name) == ("orders", "Orders <API>")
    assert endpoints.introspect("unknown", auth=(client, secret)).json() == {"active": False}


def test_what_a_client_is_told_is_entered_as_a_tick_and_as_lines(browser: Browser) -> None:
    browser.post(ADD, {**FORM, "filter_scope": "on", "visible_members": "exp\r\n\r\n scope \r\nexp"})
    client = Client.objects.get()

    assert (client.filter_scope, client.visible_members) == (True, ["exp", "scope"])
    page = browser.get(change(client)).content.decode()
    assert "exp\nscope</textarea>" in page
    browser.post(change(client), change_form(client, visible_members=""))
    client.refresh_from_db()
    assert (client.filter_scope, client.visible_members) == (False, [])


def test_the_answer_with_a_secret_is_kept_by_no_cache_and_its_text_is_escaped(added: Any) -> None:
    assert "no-store" in added["Cache-Control"]
    assert b"Orders &lt;API&gt;" in added.content
    assert b"<API>" not in added.content


def test_a_secret_is_nowhere_but_in_the_answer_that_made_it(browser: Browser, added: Any) -> None:
    client = Client.objects.get()
    first = secret_in(added)
    second = secret_in(browser.post(add_secret(client)))

    assert first != second
    pages = [LIST, change(client), f"{LIST}{client.pk}/history/", "/admin/", f"{LIST}{client.pk}/delete/"]
    shown = [browser.get(page).content.decode() for page in pages]
    elsewhere = [*shown, everything_stored(), repr(dict(browser.session)), repr(browser.cookies), repr(added.cookies)]
    elsewhere += [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    assert not [text for text in elsewhere for secret in (first, second) if secret in text]
    assert first[-4:] in shown[1]


def test_no_message_is_left_for_the_next_page(browser: Browser, added: Any) -> None:
    assert list(browser.get(LIST).context["messages"]) == []


def test_lists_are_entered_one_on_each_line(browser: Browser, added: Any) -> None:
    client = Client.objects.get()

    assert (client.allowed_resources, client.resources) == ([AUDIENCE, "urn:invoices"], [])
    assert client.grant_types == ["client_credentials"]
    assert f"{AUDIENCE}\nurn:invoices</textarea>" in browser.get(change(client)).content.decode()


def test_lives_of_tokens_are_entered_in_seconds_or_left_to_the_settings(browser: Browser) -> None:
    browser.post(ADD, {**FORM, "access_token_lifetime": "600", "refresh_token_lifetime": ""})

    client = Client.objects.get()
    assert (client.access_token_lifetime, client.refresh_token_lifetime) == (600, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_resources", "orders"),
        ("resources", f"{AUDIENCE}#f"),
        ("scope", "a  b"),
        ("resource_scopes", 'a"b'),
        ("client_id", "12345"),
        ("client_id", "with space"),
        ("access_token_lifetime", "0"),
        ("refresh_token_lifetime", "-1"),
        ("client_name", ""),
        ("grant_types", ["password"]),
        ("introspection_policy", "everything"),
        ("token_endpoint_auth_method", "none"),
    ],
)
def test_a_wrong_entry_is_shown_beside_its_field_and_makes_nothing(browser: Browser, name: str, value: Any) -> None:
    response = browser.post(ADD, {**FORM, name: value})

    assert response.context["adminform"].form.errors.keys() == {name}
    assert b"dit_cs_" not in response.content
    assert not Client.objects.exists()
    assert not ClientSecret.objects.exists()


def test_a_further_secret_leaves_the_first_alive_until_it_is_deleted(browser: Browser, added: Any) -> None:
    client = Client.objects.get()
    first = secret_in(added)
    second = secret_in(browser.post(add_secret(client)))

    def accepted() -> list[int]:
        return [endpoints.introspect("x", auth=(client, secret)).status_code for secret in (first, second)]

    assert accepted() == [200, 200]
    response = browser.post(change(client), change_form(client, **{"secrets-0-DELETE": "on"}))
    assert response.status_code == 302
    assert accepted() == [401, 200]


def test_the_answer_with_a_further_secret_is_kept_by_no_cache_and_noted_in_the_history(
    browser: Browser, added: Any
) -> None:
    response = browser.post(add_secret(Client.objects.get()))

    assert "no-store" in response["Cache-Control"]
    assert LogEntry.objects.latest("pk").get_change_message() == "Added a secret."


@sqlite_only
def test_the_history_has_no_secret_that_could_not_be_made(superuser: Any, added: Any) -> None:
    browser = Browser(raise_request_exception=False)
    browser.force_login(superuser)
    with refusing("INSERT", ClientSecret):
        response = browser.post(add_secret(Client.objects.get()))

    assert response.status_code == 500
    assert b"dit_cs_" not in response.content
    assert not LogEntry.objects.filter(change_message__contains="secret").exists()


@pytest.mark.parametrize("method", ["get", "head", "put", "delete"])
def test_a_further_secret_is_made_by_post_alone(browser: Browser, added: Any, method: str) -> None:
    response = getattr(browser, method)(add_secret(Client.objects.get()))

    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert ClientSecret.objects.count() == 1


def test_a_further_secret_needs_the_csrf_token(superuser: Any, added: Any) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert browser.post(add_secret(Client.objects.get())).status_code == 403
    assert ClientSecret.objects.count() == 1


@pytest.mark.parametrize("pk", ["0", "x", "1_2F"])
def test_a_secret_of_a_client_that_is_not_there_is_not_found(browser: Browser, pk: str) -> None:
    assert browser.post(f"{LIST}{pk}/secret/").status_code == 404


def test_the_change_page_has_the_button_and_keeps_the_client_id(browser: Browser, added: Any) -> None:
    client = Client.objects.get()
    page = browser.get(change(client)).content.decode()

    browser.post(change(client), change_form(client, client_id="other", client_name="Renamed"))

    assert 'action="../secret/"' in page
    client.refresh_from_db()
    assert (client.client_id, client.client_name) == ("orders", "Renamed")


def test_the_history_names_only_what_was_changed(browser: Browser, added: Any) -> None:
    client = Client.objects.get()

    browser.post(change(client), change_form(client, scope="orders:read"))
    scope = LogEntry.objects.latest("pk").get_change_message()
    browser.post(change(client), change_form(client, scope="orders:read", allowed_resources="urn:x"))

    assert scope == "Changed Scope."
    assert LogEntry.objects.latest("pk").get_change_message() == "Changed Allowed resources."


def test_unticking_active_ends_the_client(browser: Browser, added: Any) -> None:
    client = Client.objects.get()
    form = change_form(client)
    del form["is_active"]

    browser.post(change(client), form)

    assert endpoints.introspect("x", auth=(client, secret_in(added))).status_code == 401


@pytest.mark.parametrize(
    ("codenames", "allowed"),
    [
        ((), set()),
        (("view_client", "view_clientsecret"), {"list", "change page"}),
        (("add_client",), {"add page"}),
        (("change_client",), {"list", "change page", "secret"}),
        (("add_clientsecret", "change_clientsecret", "view_token"), set()),
    ],
)
def test_every_page_needs_its_permission(
    staff_browser: Any, machine: Any, codenames: tuple[str, ...], allowed: set[str]
) -> None:
    staff = staff_browser(*codenames)
    answers = {
        "list": staff.get(LIST),
        "add page": staff.get(ADD),
        "change page": staff.get(change(machine.client)),
        "secret": staff.post(add_secret(machine.client)),
    }

    assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
    assert {answer.status_code for answer in answers.values()} <= {200, 403}
    assert ClientSecret.objects.count() == 1 + ("secret" in allowed)


def test_who_may_only_look_gets_no_button(staff_browser: Any, machine: Any) -> None:
    page = staff_browser("view_client").get(change(machine.client)).content.decode()

    assert machine.client.client_id in page
    assert "../secret/" not in page


def test_a_stranger_is_sent_to_the_login(db: None, machine: Any) -> None:
    response = Browser().post(add_secret(machine.client))

    assert response.status_code == 302
    assert "/login/" in response["Location"]
    assert ClientSecret.objects.count() == 1


def test_a_client_that_signs_is_registered_with_its_keys_and_shown_no_secret(browser: Browser) -> None:
    keys = {"keys": [jose.public("ES256", kid="a")]}
    form = FORM | {"token_endpoint_auth_method": "private_key_jwt", "jwks": json.dumps(keys)}

    response = browser.post(ADD, form)

    client = Client.objects.get()
    assert response.status_code == 302
    assert client.jwks == keys
    assert not client.secrets.exists()
    page = browser.get(change(client)).content.decode()
    assert "add-secret" not in page
    assert browser.post(add_secret(client)).status_code == 404
    value = jose.assertion(client.client_id, header={"kid": "a"})
    assert endpoints.introspect("x", auth=None).status_code == 401
    answer = endpoints.post("/oauth/introspect", {"token": "x", **jose.asserting(value)})
    assert answer.json() == {"active": False}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("", "needs public keys or their address"),
        ("{}", "needs public keys or their address"),
        ("{", "Enter a valid JSON"),
        (json.dumps({"keys": [jose.private("ES256")]}), "private members"),
    ],
    ids=["nothing", "an empty object", "no JSON", "a private key"],
)
def test_keys_that_do_not_do_are_told_at_their_field(browser: Browser, keys: str, told: str) -> None:
    response = browser.post(ADD, FORM | {"token_endpoint_auth_method": "private_key_jwt", "jwks": keys})

    assert told in response.content.decode()
    assert not Client.objects.exists()


def test_the_secrets_that_are_left_of_a_client_that_signs_now_can_be_retired(browser: Browser, added: Any) -> None:
    client = Client.objects.get()
    keys = json.dumps({"keys": [jose.public("ES256")]})
    browser.post(change(client), change_form(client, token_endpoint_auth_method="private_key_jwt", jwks=keys))

    page = browser.get(change(client)).content.decode()

    assert "secrets-0-id" in page
    assert endpoints.introspect("x", auth=(client, secret_in(added))).status_code == 401


def test_the_row_of_a_client_of_another_source_has_a_policy_and_no_secret(browser: Browser) -> None:
    form = FORM | {"token_endpoint_auth_method": "elsewhere", "client_id": "theirs", "introspection_policy": "any"}
    response = browser.post(ADD, form)

    client = Client.objects.get(client_id="theirs")
    assert response.status_code == 302
    assert (client.introspection_policy, client.secrets.count()) == ("any", 0)
