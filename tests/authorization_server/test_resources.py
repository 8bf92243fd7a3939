"""The setting RESOURCES: what a token is for, and what its scope shrinks to (RFC 8707, RFC 9068 §3)."""

from __future__ import annotations

from typing import Any

import pytest

from django_introspection.models import GrantType, Token
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_refused, introspecting_client
from tests.settings import AUDIENCE, ISSUER

ORDERS = AUDIENCE
INVOICES = "https://api.example.com/invoices"
ARCHIVE = "https://api.example.com/archive"
KNOWN: dict[str, dict[str, Any]] = {
    ORDERS: {"SCOPES": ["orders:read", "orders:write", "search"]},
    INVOICES: {"SCOPES": ["invoices:read", "search"]},
    ARCHIVE: {},
}
EVERYTHING = "orders:read orders:write invoices:read search profile"


@pytest.fixture
def client(db: None) -> Any:
    """A client of every known resource, and of one that the server does not know."""
    return factories.RegistrationFactory(scope=EVERYTHING, allowed_resources=[*KNOWN, "urn:unknown"])


@pytest.fixture
def know(settings: Any) -> Any:
    """Let the server know resources, one of them the default."""

    def change(default: str | None = None) -> None:
        known = {name: {**entry, "DEFAULT": name == default} for name, entry in KNOWN.items()}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "RESOURCES": known}

    change()
    return change


def ask(auth: Any, **form: Any) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "client_credentials", **form}, auth=auth)


def granted(auth: Any, response: Any) -> tuple[str, list[str]]:
    """Return scope and audience; the answer to the client and the introspection tell the same scope."""
    assert response.status_code == 200, response.content
    answer = response.json()
    members = endpoints.introspect(answer["access_token"], auth=auth).json()
    assert answer.get("scope") == members.get("scope")
    return members.get("scope", ""), members["aud"]


@pytest.mark.requirement("8707-2.2-b", "8707-2-b", "8707-2-d", "9068-3-a")
@pytest.mark.parametrize(
    ("resource", "scope"),
    [
        (ORDERS, "orders:read orders:write search"),
        (INVOICES, "invoices:read search"),
        ([ORDERS, INVOICES], "orders:read orders:write invoices:read search"),
        (ARCHIVE, ""),
    ],
)
@pytest.mark.usefixtures("know")
def test_the_scope_shrinks_to_what_the_resources_understand_and_the_answer_tells_it(
    client: Any, resource: Any, scope: str
) -> None:
    audience = resource if isinstance(resource, list) else [resource]

    assert granted(client, ask(client, resource=resource)) == (scope, audience)


@pytest.mark.requirement("8707-2.2-b")
@pytest.mark.usefixtures("know")
def test_a_scope_that_was_asked_for_shrinks_as_well_but_never_to_nothing(client: Any) -> None:
    some = ask(client, scope="orders:read invoices:read profile", resource=ORDERS)
    nothing = ask(client, scope="invoices:read", resource=ORDERS)

    assert granted(client, some) == ("orders:read", [ORDERS])
    assert_refused(nothing, 400, "invalid_scope")
    assert_refused(ask(client, scope="profile", resource=ORDERS), 400, "invalid_scope")


@pytest.mark.requirement("8707-2-c")
@pytest.mark.parametrize("resource", ["urn:unknown", "urn:elsewhere", [ORDERS, "urn:unknown"], f"{ORDERS}/", "orders"])
@pytest.mark.usefixtures("know")
def test_a_resource_that_the_server_does_not_know_is_an_invalid_target(client: Any, resource: Any) -> None:
    assert_refused(ask(client, resource=resource), 400, "invalid_target")


@pytest.mark.requirement("8707-2-c")
@pytest.mark.usefixtures("know")
def test_a_known_resource_that_the_client_may_not_ask_for_is_an_invalid_target(db: None) -> None:
    client = factories.RegistrationFactory(allowed_resources=[ORDERS])

    assert_refused(ask(client, resource=INVOICES), 400, "invalid_target")


@pytest.mark.requirement("9068-3-a")
@pytest.mark.parametrize(
    ("scope", "audience"),
    [("orders:read", [ORDERS]), ("invoices:read", [INVOICES]), ("invoices:read search", [INVOICES])],
)
@pytest.mark.parametrize("default", [None, ORDERS])
def test_without_a_resource_the_scope_implies_it(
    client: Any, know: Any, default: str | None, scope: str, audience: list[str]
) -> None:
    know(default)

    assert granted(client, ask(client, scope=scope)) == (scope, audience)


@pytest.mark.requirement("9068-3-b")
@pytest.mark.parametrize("default", [None, ORDERS])
@pytest.mark.parametrize("scope", ["orders:read invoices:read", EVERYTHING])
def test_a_scope_of_two_resources_without_a_resource_is_an_invalid_scope(
    client: Any, know: Any, default: str | None, scope: str
) -> None:
    know(default)

    assert_refused(ask(client, scope=scope), 400, "invalid_scope")
    assert not Token.objects.exists()


@pytest.mark.requirement("9068-3-a")
@pytest.mark.parametrize("form", [{}, {"scope": "search"}, {"scope": ""}], ids=str)
def test_where_the_scope_does_not_decide_the_default_does(client: Any, know: Any, form: dict[str, str]) -> None:
    know(INVOICES)

    assert granted(client, ask(client, **form))[1] == [INVOICES]


@pytest.mark.requirement("8707-2-c")
@pytest.mark.parametrize("form", [{}, {"scope": "search"}], ids=str)
def test_without_a_default_a_resource_must_be_named(client: Any, know: Any, form: dict[str, str]) -> None:
    assert_refused(ask(client, **form), 400, "invalid_target")


@pytest.mark.requirement("9068-3-a")
@pytest.mark.parametrize("default", [None, INVOICES])
def test_a_default_that_the_client_may_not_ask_for_gives_way_to_its_only_one(
    db: None, know: Any, default: str | None
) -> None:
    know(default)
    client = factories.RegistrationFactory(scope=EVERYTHING, allowed_resources=[ORDERS, "urn:unknown"])

    assert granted(client, ask(client)) == ("orders:read orders:write search", [ORDERS])


@pytest.mark.requirement("8707-2-c")
@pytest.mark.usefixtures("know")
def test_a_client_without_known_resources_gets_no_token(db: None) -> None:
    assert_refused(ask(factories.RegistrationFactory(allowed_resources=[])), 400, "invalid_target")


@pytest.mark.usefixtures("know")
def test_a_token_to_introspect_with_needs_no_entry_for_this_server(db: None) -> None:
    client = introspecting_client()

    assert granted(client, ask(client, scope="introspection")) == ("introspection", [ISSUER])
    assert granted(client, ask(client, scope="introspection", resource=ISSUER)) == ("introspection", [ISSUER])


@pytest.mark.requirement("8707-2.2-a", "8707-2.2-b", "9700-4.14.2-a")
@pytest.mark.usefixtures("know")
def test_a_refresh_for_one_resource_shrinks_the_scope_and_leaves_the_grant_whole(db: None) -> None:
    scope, audience = "orders:read invoices:read", [ORDERS, INVOICES]
    holder = factories.RegistrationFactory(
        grant_types=[GrantType.REFRESH_TOKEN], scope=scope, allowed_resources=[*audience, ARCHIVE]
    )
    value = factories.TokenFactory(client=holder.client, scope=scope, audience=audience, refresh=True).refresh_token

    def refresh(**form: Any) -> Any:
        nonlocal value
        form = {"grant_type": "refresh_token", "refresh_token": value, **form}
        response = endpoints.post("/oauth/token", form, auth=holder)
        value = response.json().get("refresh_token", value)
        return response

    assert granted(holder, refresh(resource=INVOICES)) == ("invoices:read", [INVOICES])
    assert_refused(refresh(resource=ARCHIVE), 400, "invalid_target")
    assert_refused(refresh(resource=INVOICES, scope="orders:read"), 400, "invalid_scope")
    assert granted(holder, refresh(resource=ORDERS)) == ("orders:read", [ORDERS])
    assert granted(holder, refresh()) == (scope, audience)


@pytest.mark.parametrize("count", [20, 21])
def test_no_more_than_twenty_resources_are_taken(db: None, count: int) -> None:
    resources = [f"urn:resource:{number}" for number in range(count)]
    client = factories.RegistrationFactory(allowed_resources=resources)

    response = ask(client, resource=resources)

    if count == 20:
        assert granted(client, response)[1] == resources
    else:
        assert_refused(response, 400, "invalid_target")


def test_a_resource_longer_than_two_thousand_characters_is_refused(machine: Any) -> None:
    assert_refused(ask(machine, resource=f"{ORDERS}/{'x' * 2000}"), 400, "invalid_target")


ROOT = "https://root.example.com"


@pytest.mark.django_db
@pytest.mark.parametrize("registered", [ROOT, f"{ROOT}/"])
@pytest.mark.parametrize("requested", [ROOT, f"{ROOT}/", "HTTPS://Root.Example.com:443"])
@pytest.mark.parametrize("known", [None, ROOT, f"{ROOT}/"])
def test_a_resource_may_be_spelled_in_several_ways(
    settings: Any, registered: str, requested: str, known: str | None
) -> None:
    if known is not None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "RESOURCES": {known: {"SCOPES": ["read"]}}}
    shop = factories.RegistrationFactory(scope="read", allowed_resources=[registered])
    api = factories.RegistrationFactory(resources=[requested])

    token = ask(shop, resource=requested, scope="read").json()["access_token"]

    members = endpoints.introspect(token, auth=api).json()
    assert members["aud"] == [known or registered]


@pytest.mark.parametrize("known", ["https://api.example.com/", "https://API.example.com", "https://api.example.com"])
@pytest.mark.parametrize(
    "form", [{}, {"resource": "https://api.example.com"}, {"resource": "https://api.example.com/"}]
)
def test_a_grant_keeps_the_spellings_and_the_resources_of_its_day(
    db: None, settings: Any, known: str, form: dict[str, str]
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "RESOURCES": {known: {"SCOPES": ["orders:read"]}}}
    holder = factories.RegistrationFactory(
        grant_types=[GrantType.REFRESH_TOKEN], allowed_resources=["https://api.example.com", "urn:gone"]
    )
    grant = {"scope": "orders:read", "audience": ["https://api.example.com", "urn:gone"], "refresh": True}
    value = factories.TokenFactory(client=holder.client, **grant).refresh_token

    response = endpoints.post(
        "/oauth/token", {"grant_type": "refresh_token", "refresh_token": value, **form}, auth=holder
    )

    assert granted(holder, response) == ("orders:read", ["https://api.example.com"])


def test_a_token_for_this_server_can_be_exchanged_for_one_of_this_server(db: None, know: Any) -> None:
    grants = ["client_credentials", GrantType.TOKEN_EXCHANGE]
    holder = factories.RegistrationFactory(grant_types=grants, scope="orders:read introspection")
    token = ask(holder, scope="introspection").json()["access_token"]
    form = {
        "grant_type": GrantType.TOKEN_EXCHANGE.value,
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "resource": ISSUER,
    }

    assert granted(holder, endpoints.post("/oauth/token", form, auth=holder)) == ("introspection", [ISSUER])
