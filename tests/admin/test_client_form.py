from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client as Browser

from django_introspection.models import Client, ClientSecret, GrantType
from tests import certificates, endpoints, factories, jose
from tests.admin.client_pages import ADD, LIST, add_form, change_form, page_of, secret_in, secrets_in, told
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION


@pytest.fixture
def added(browser: Browser) -> Any:
    """The answer to the form that adds a client."""
    return browser.post(ADD, add_form())


@pytest.mark.parametrize(
    ("purpose", "grants", "policy"),
    [
        ("resource-server", [], "audience"),
        ("machine", ["client_credentials"], "own"),
        ("both", ["client_credentials"], "audience"),
    ],
)
def test_what_follows_from_the_purpose_is_not_asked_for(
    browser: Browser, purpose: str, grants: list[str], policy: str
) -> None:
    secret = secret_in(browser.post(ADD, add_form(purpose)))

    client = Client.objects.get()
    assert (client.grant_types, client.introspection_policy) == (grants, policy)
    assert client.resources == ([] if purpose == "machine" else [AUDIENCE])
    assert client.allowed_resources == ([] if purpose == "resource-server" else [AUDIENCE])
    assert endpoints.introspect("unknown", auth=(client, secret)).json() == {"active": False}


def test_entries_that_the_purpose_has_no_use_for_are_left_out(browser: Browser) -> None:
    everything = add_form("both")

    browser.post(ADD, everything | {"purpose": "machine", "resources": "not an URI", "resource_scopes": '"'})

    client = Client.objects.get()
    assert (client.resources, client.resource_scopes, client.scope) == ([], "", "orders:read orders:write")


def test_a_client_id_is_made_where_none_is_entered(browser: Browser) -> None:
    browser.post(ADD, add_form(client_id=""))

    assert re.fullmatch(r"client-[0-9a-f]{16}", Client.objects.get().client_id)


def test_the_answer_with_a_secret_is_kept_by_no_cache_and_its_text_is_escaped(added: Any) -> None:
    assert "no-store" in added["Cache-Control"]
    assert b"Orders &lt;API&gt;" in added.content
    assert b"<API>" not in added.content


def test_lists_are_entered_one_on_each_line(browser: Browser) -> None:
    browser.post(ADD, add_form(allowed_resources=f"{AUDIENCE}\r\n\r\n  urn:invoices \r\n{AUDIENCE}\r\n"))
    client = Client.objects.get()

    assert client.allowed_resources == [AUDIENCE, "urn:invoices"]
    assert f"{AUDIENCE}\nurn:invoices</textarea>" in browser.get(page_of(client)).content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("purpose", "spying"),
        ("allowed_resources", "orders"),
        ("resources", f"{AUDIENCE}#f"),
        ("resources", ""),
        ("scope", "a  b"),
        ("resource_scopes", 'a"b'),
        ("client_id", "12345"),
        ("client_id", "with space"),
        ("client_name", ""),
        ("token_endpoint_auth_method", "none"),
    ],
)
def test_a_wrong_entry_is_shown_beside_its_field_and_makes_nothing(browser: Browser, name: str, value: Any) -> None:
    response = browser.post(ADD, add_form("both") | {name: value})

    assert response.context["adminform"].form.errors.keys() == {name}
    assert not secrets_in(response)
    assert not Client.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token_lifetime", "0"),
        ("refresh_token_lifetime", "-1"),
        ("grant_types", ["password"]),
        ("introspection_policy", "everything"),
        ("introspection_policy", "audience"),
        ("access_token_format", "jwt"),
        ("introspection_signed_response_alg", "none"),
        ("introspection_signed_response_alg", "ES256"),
    ],
)
def test_a_wrong_change_is_shown_beside_its_field_and_changes_nothing(
    browser: Browser, machine: Any, name: str, value: Any
) -> None:
    response = browser.post(
        page_of(machine.client), change_form(machine.client, client_name="Renamed", **{name: value})
    )

    assert response.context["adminform"].form.errors.keys() == {name}
    assert Client.objects.get().client_name == machine.client.client_name


@pytest.mark.parametrize(
    ("entries", "mended"),
    [
        ({"introspection_policy": "audience"}, "Enter them under “Resources served”, or choose “Its own tokens”"),
        ({"access_token_format": "jwt"}, "Set ISSUER and SIGNING_KEYS first, or choose opaque"),
        ({"introspection_signed_response_alg": "ES256"}, "Set ISSUER, and add a key to SIGNING_KEYS first"),
    ],
)
def test_what_is_refused_is_said_with_how_to_mend_it(
    browser: Browser, machine: Any, entries: dict[str, str], mended: str
) -> None:
    response = browser.post(page_of(machine.client), change_form(machine.client, **entries))

    assert mended in response.content.decode()


@pytest.mark.parametrize("purpose", ["machine", "resource-server"])
def test_a_form_that_is_sent_again_makes_no_second_client_and_shows_no_secret(browser: Browser, purpose: str) -> None:
    form = add_form(purpose, client_id="")
    first = secret_in(browser.post(ADD, form))

    again = browser.post(ADD, form, follow=True)

    assert Client.objects.count() == ClientSecret.objects.count() == 1
    assert again.redirect_chain == [(page_of(Client.objects.get()), 302)]
    assert "was sent before" in told(again)
    assert first not in again.content.decode()


def test_a_form_that_is_sent_again_makes_no_second_client_that_signs(browser: Browser) -> None:
    keys = json.dumps({"keys": [jose.public("ES256")]})
    form = add_form(client_id="", token_endpoint_auth_method="private_key_jwt", jwks=keys)

    browser.post(ADD, form)
    again = browser.post(ADD, form, follow=True)

    assert "was sent before" in told(again)
    assert Client.objects.count() == 1


@pytest.mark.parametrize("form_id", [None, "", "1"])
def test_a_form_without_its_name_makes_nothing_and_works_when_it_is_sent_again(browser: Browser, form_id: Any) -> None:
    form = {name: value for name, value in add_form(form_id=form_id).items() if value is not None}

    response = browser.post(ADD, form)

    assert "Nothing was saved. Check it and send it again." in response.content.decode()
    assert not Client.objects.exists()
    shown = re.search(r'name="form_id" value="([^"]+)"', response.content.decode())
    assert shown
    assert secret_in(browser.post(ADD, form | {"form_id": shown[1]}))


def test_each_form_for_a_new_client_has_a_name_of_its_own(browser: Browser) -> None:
    names = {re.findall(r'name="form_id" value="([^"]+)"', browser.get(ADD).content.decode())[0] for _ in range(2)}

    assert len(names) == 2


def test_the_history_names_only_what_was_changed(browser: Browser, machine: Any) -> None:
    client = machine.client
    seen = browser.get(page_of(client)).context["adminform"].form.initial["seen"]

    browser.post(page_of(client), change_form(client, scope="orders:read", seen=seen))
    scope = LogEntry.objects.latest("pk").get_change_message()
    browser.post(page_of(client), change_form(client, scope="orders:read", allowed_resources="urn:x"))

    assert scope == "Changed Scope."
    assert LogEntry.objects.latest("pk").get_change_message() == "Changed Allowed resources."


def test_the_form_allows_a_client_to_exchange_tokens_and_to_request_details(
    browser: Browser, machine: Any, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "AUTHORIZATION_DETAILS_TYPES": {"payment": None}}
    changes = {
        "grant_types": [GrantType.TOKEN_EXCHANGE.value],
        "may_impersonate": "on",
        "authorization_details_types": "payment",
    }
    unknown = browser.post(
        page_of(machine.client), change_form(machine.client, **{**changes, "authorization_details_types": "other"})
    )
    assert "Choose from the types of the setting AUTHORIZATION_DETAILS_TYPES." in unknown.content.decode()
    assert browser.post(page_of(machine.client), change_form(machine.client, **changes)).status_code == 302

    client = Client.objects.get()
    assert (client.grant_types, client.may_impersonate) == (changes["grant_types"], True)
    assert client.authorization_details_types == ["payment"]


def test_a_change_that_somebody_made_meanwhile_is_not_overwritten_unseen(browser: Browser, machine: Any) -> None:
    client = machine.client
    seen = browser.get(page_of(client)).context["adminform"].form.initial["seen"]
    Client.objects.update(scope="orders:read")

    refused = browser.post(page_of(client), change_form(client, client_name="Renamed", seen=seen))

    page = refused.content.decode()
    assert "This client was changed after you opened the form" in page
    assert 'value="Renamed"' in page
    assert Client.objects.get().scope == "orders:read"
    seen = re.findall(r'name="seen" value="([^"]+)"', page)[0]
    assert browser.post(page_of(client), change_form(client, client_name="Renamed", seen=seen)).status_code == 302
    assert Client.objects.get().client_name == "Renamed"


def test_the_client_id_of_a_client_that_exists_stays(browser: Browser, machine: Any) -> None:
    browser.post(page_of(machine.client), change_form(machine.client, client_id="other", client_name="Renamed"))

    client = Client.objects.get()
    assert (client.client_id, client.client_name) == (machine.client.client_id, "Renamed")


def test_what_a_client_is_told_is_entered_as_a_tick_and_as_lines(browser: Browser, machine: Any) -> None:
    entries = {"filter_scope": "on", "visible_members": "exp\r\n\r\n scope \r\nexp"}
    browser.post(page_of(machine.client), change_form(machine.client, **entries))
    client = Client.objects.get()

    assert (client.filter_scope, client.visible_members) == (True, ["exp", "scope"])
    assert "exp\nscope</textarea>" in browser.get(page_of(client)).content.decode()
    browser.post(page_of(client), change_form(client, visible_members="", filter_scope=None))
    client.refresh_from_db()
    assert (client.filter_scope, client.visible_members) == (False, [])


def test_lives_of_tokens_are_entered_in_seconds_or_left_to_the_settings(browser: Browser, machine: Any) -> None:
    entries = {"access_token_lifetime": "600", "refresh_token_lifetime": ""}
    browser.post(page_of(machine.client), change_form(machine.client, **entries))

    client = Client.objects.get()
    assert (client.access_token_lifetime, client.refresh_token_lifetime) == (600, None)


def test_a_client_that_signs_is_registered_with_its_keys_and_shown_no_secret(browser: Browser) -> None:
    keys = {"keys": [jose.public("ES256", kid="a")]}

    response = browser.post(ADD, add_form(token_endpoint_auth_method="private_key_jwt", jwks=json.dumps(keys)))

    client = Client.objects.get()
    assert response.status_code == 302
    assert client.jwks == keys
    assert not client.secrets.exists()
    assert page_of(client, "secret") not in browser.get(page_of(client)).content.decode()
    assert "does not authenticate by a secret" in told(browser.get(page_of(client, "secret"), follow=True))
    value = jose.assertion(client.client_id, header={"kid": "a"})
    answer = endpoints.post("/oauth/introspect", {"token": "x", **jose.asserting(value)})
    assert answer.json() == {"active": False}


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("", "needs public keys or their address"),
        ("{}", "needs public keys or their address"),
        ("{", "Enter a valid JSON"),
        (json.dumps({"keys": [jose.private("ES256")]}), "private members"),
    ],
    ids=["nothing", "an empty object", "no JSON", "a private key"],
)
def test_keys_that_do_not_do_are_told_at_their_field(browser: Browser, keys: str, problem: str) -> None:
    response = browser.post(ADD, add_form(token_endpoint_auth_method="private_key_jwt", jwks=keys))

    assert problem in response.content.decode()
    assert not Client.objects.exists()


def listed(browser: Browser, **query: str) -> set[str]:
    return {client.client_name for client in browser.get(LIST, query).context["cl"].result_list}


def test_the_list_is_filtered_by_purpose(browser: Browser) -> None:
    factories.RegistrationFactory(client_name="machine")
    factories.ResourceServerFactory(client_name="resource_server")
    factories.ResourceServerFactory(client_name="both", grant_types=["client_credentials"])
    factories.RegistrationFactory(client_name="none", grant_types=[])
    factories.RegistrationFactory(client_name="gateway", grant_types=[], introspection_policy="any")

    assert {purpose: listed(browser, purpose=purpose) for purpose in ("machine", "both", "none")} == {
        purpose: {purpose} for purpose in ("machine", "both", "none")
    }
    assert listed(browser, purpose="resource-server") == {"resource_server", "gateway"}
    assert len(listed(browser, purpose="unheard of")) == 5


def test_the_search_by_name_and_client_id_has_a_fixed_cost(
    browser: Browser, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        factories.RegistrationFactory(client_name=f"Shop {number}", client_id=f"shop-{number}")

    with django_assert_max_num_queries(7):
        assert listed(browser, q="shop-3") == {"Shop 3"}
    with django_assert_max_num_queries(7):
        assert len(listed(browser, q="Shop")) == 10


def test_other_admins_complete_the_names_of_clients(browser: Browser, machine: Any) -> None:
    query = {
        "term": machine.client.client_id,
        "app_label": "introspection",
        "model_name": "token",
        "field_name": "client",
    }

    (found,) = browser.get("/admin/autocomplete/", query).json()["results"]

    assert found["id"] == str(machine.client.pk)


def test_the_row_of_a_client_that_was_replaced_cannot_be_saved(
    browser: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = ["tests.authorization_server.test_client_sources.Partners"]
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_SOURCES": sources}
    browser.post(ADD, add_form("resource-server", token_endpoint_auth_method="elsewhere", client_id="partner"))
    row = Client.objects.get(client_id="partner")
    monkeypatch.setattr("tests.authorization_server.test_client_sources.Partners.key", "partners:2")

    page = browser.get(f"/admin/introspection/client/{row.pk}/change/")
    form = {name: value for name, value in page.context["adminform"].form.initial.items() if value is not None}
    response = browser.post(f"/admin/introspection/client/{row.pk}/change/", {**form, "client_name": "Renamed"})

    assert response.status_code == 200
    assert "Another client has this identifier now" in response.text
    assert Client.objects.get(pk=row.pk).client_name != "Renamed"


def test_the_row_of_a_client_of_another_source_has_a_policy_and_no_secret(browser: Browser, settings: Any) -> None:
    sources = ["tests.authorization_server.test_client_sources.Partners"]
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_SOURCES": sources}
    response = browser.post(
        ADD, add_form("resource-server", token_endpoint_auth_method="elsewhere", client_id="partner")
    )

    client = Client.objects.get(client_id="partner")
    assert response.status_code == 302
    assert (client.introspection_policy, client.secrets.count()) == ("audience", 0)


def test_an_operator_ticks_that_a_client_gets_bound_tokens_alone(browser: Browser) -> None:
    client = factories.RegistrationFactory().client

    browser.post(page_of(client), change_form(client, dpop_bound_access_tokens="on"))

    client.refresh_from_db()
    assert client.dpop_bound_access_tokens is True


def test_an_operator_registers_the_certificate_of_a_client(browser: Browser) -> None:
    client = factories.RegistrationFactory().client
    own = certificates.make(self_signed=True)
    method = {"token_endpoint_auth_method": "self_signed_tls_client_auth"}

    refused = browser.post(page_of(client), change_form(client, **method))
    browser.post(page_of(client), change_form(client, **method, certificate_thumbprints=f"{own.thumbprint}\n"))

    assert b"needs a thumbprint" in refused.content
    client.refresh_from_db()
    assert client.certificate_thumbprints == [own.thumbprint]
    assert client.token_endpoint_auth_method == "self_signed_tls_client_auth"


def test_an_operator_names_the_certificate_of_a_new_client(browser: Browser) -> None:
    name = {"certificate_name_kind": "tls_client_auth_san_dns", "certificate_name": "shop.example.com"}

    browser.post(ADD, add_form(token_endpoint_auth_method="tls_client_auth", **name))

    client = Client.objects.get()
    assert (client.certificate_name, client.has_secrets) == ("shop.example.com", False)
