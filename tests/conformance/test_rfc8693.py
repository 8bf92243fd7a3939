"""Token exchange at our token endpoint, and the actors in answers and at views (RFC 8693)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from django_introspection import revocations
from django_introspection.authorization_server import revoking, token_exchange
from django_introspection.authorization_server.revoking import revoke_client_tokens, revoke_grant, revoke_token
from django_introspection.models import Client, GrantType, Token
from django_introspection.models.fields import now
from django_introspection.permissions import requires_claim
from django_introspection.protocol.actors import MAX_ACTORS
from django_introspection.testing import assert_challenge, fake_tokens, token
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

INVOICES = "https://api.example.com/invoices"
BOTH = [AUDIENCE, INVOICES]
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def api(**metadata: Any) -> Any:
    """Register an API that may exchange the tokens that it receives."""
    return factories.RegistrationFactory(
        **{
            "grant_types": [GrantType.TOKEN_EXCHANGE],
            "allowed_resources": BOTH,
            "resources": [AUDIENCE],
            **metadata,
        }
    )


@pytest.fixture
def orders(db: None) -> Any:
    return api(client_id="orders-api")


@pytest.fixture
def alice() -> Any:
    return factories.UserFactory()


def for_alice(alice: Any, **grant: Any) -> Any:
    """Issue the token that an API receives from a client of alice's."""
    return factories.TokenFactory(
        **{"user": alice, "scope": "orders:read orders:write", "audience": BOTH, "refresh": True, **grant}
    )


def ask_for(subject: Any, client: Any, **form: Any) -> Any:
    named = {
        "grant_type": GrantType.TOKEN_EXCHANGE.value,
        "subject_token": getattr(subject, "access_token", subject),
        "subject_token_type": ACCESS_TOKEN,
        **form,
    }
    return endpoints.post(
        "/oauth/token", {name: value for name, value in named.items() if value is not None}, auth=client
    )


def exchanged(subject: Any, client: Any, **form: Any) -> Any:
    response = ask_for(subject, client, **form)
    assert response.status_code == 200, response.content
    return response.json()


def answer(value: str, caller: Any) -> Any:
    return endpoints.introspect(value, auth=caller).json()


def test_a_token_that_is_limited_to_networks_is_exchanged_by_its_own_client_alone(orders: Any, alice: Any) -> None:
    members = {"allowed_networks": ["127.0.0.0/8"]}
    own = for_alice(alice, client=orders.client, members=members)

    assert_refused(ask_for(for_alice(alice, members=members), orders), 400, "invalid_request")
    assert answer(exchanged(own, orders)["access_token"], orders)["allowed_networks"] == ["127.0.0.0/8"]


# Exchange


@pytest.mark.requirement("8693-2.2.1-a", "8693-4.1-a")
@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_an_api_gets_a_token_for_the_subject_that_names_the_api_as_the_actor(
    token_format: str, alice: Any, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    orders = api(client_id="orders-api", access_token_format=token_format)
    received = for_alice(alice, members={"acr": "mfa", "auth_time": 5})

    members = exchanged(received, orders, resource=INVOICES, scope="orders:read")

    assert members["issued_token_type"] == ACCESS_TOKEN
    assert members["token_type"] == "Bearer"
    assert members["scope"] == "orders:read"
    assert "refresh_token" not in members
    assert Token.objects.get(client=orders.client).grant_id == received.token.grant_id
    seen = answer(members["access_token"], factories.ResourceServerFactory(resources=[INVOICES]))
    assert seen["active"] is True
    assert (seen["sub"], seen["client_id"], seen["aud"]) == (str(alice.pk), "orders-api", [INVOICES])
    assert seen["act"] == {"sub": "orders-api", "iss": ISSUER}
    assert (seen["acr"], seen["auth_time"]) == ("mfa", 5)


def test_the_subject_token_may_be_a_jwt_of_ours(orders: Any, alice: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    shop = factories.RegistrationFactory(access_token_format="jwt")
    received = for_alice(alice, client=shop.client)

    assert received.access_token.count(".") == 2
    assert exchanged(received, orders)["scope"] == "orders:read orders:write"
    head, body, signature = received.access_token.split(".")
    forged = f"{head}.{body}.{signature[:-4]}AAAA"
    assert_refused(ask_for(forged, orders), 400, "invalid_request", forged)


def test_a_client_that_is_not_allowed_it_exchanges_nothing(alice: Any) -> None:
    received = for_alice(alice)
    for grants in (["client_credentials"], ["refresh_token"], []):
        assert_refused(ask_for(received, api(grant_types=grants)), 400, "unauthorized_client")


@pytest.mark.requirement("8693-2.1-a", "8693-2.1-c", "8693-2.2.2-a")
@pytest.mark.parametrize(
    "form",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "access_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"actor_token_type": ACCESS_TOKEN},
        {"actor_token": "x"},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
        {"subject_token": "x"},
        {"subject_token": "dit_at_" + "x" * 50},
    ],
)
def test_a_malformed_request_and_a_foreign_token_are_invalid_request(form: Any, orders: Any, alice: Any) -> None:
    assert_refused(ask_for(for_alice(alice), orders, **form), 400, "invalid_request")
    assert Token.objects.filter(client=orders.client).count() == 0


@pytest.mark.requirement("8693-2.1-c", "8693-2.2.2-a")
def test_a_subject_token_that_is_not_active_or_not_for_the_client_is_refused_in_one_way(
    orders: Any, alice: Any
) -> None:
    revoked, expired, early = for_alice(alice), for_alice(alice), for_alice(alice)
    revoke_token(revoked.token, by=None)
    Token.objects.filter(pk=expired.token.pk).update(expires_at=now())
    Token.objects.filter(pk=early.token.pk).update(not_before=now() + timedelta(hours=1))
    elsewhere = for_alice(alice, audience=[INVOICES])
    gone = for_alice(factories.UserFactory())
    gone.token.user.is_active = False
    gone.token.user.save()
    disabled = for_alice(alice)
    disabled.token.client.is_active = False
    disabled.token.client.save()
    machine = factories.TokenFactory(audience=[AUDIENCE], scope="orders:read")
    blind = api(introspection_policy="none")

    refused = [
        *(ask_for(each, orders) for each in (revoked, expired, early, elsewhere, gone, disabled, machine)),
        ask_for(for_alice(alice).refresh_token, orders),
        ask_for(for_alice(alice), blind),
        ask_for("unknown", orders),
    ]
    for each in refused:
        assert_refused(each, 400, "invalid_request")
    assert len({each.content for each in refused}) == 1


@pytest.mark.requirement("8693-2.1-b", "8693-2.2.2-b")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "orders:delete"}, "invalid_scope"),
        ({"scope": "orders:read admin"}, "invalid_scope"),
        ({"scope": 'a"'}, "invalid_scope"),
        ({"resource": "https://api.example.com/else"}, "invalid_target"),
        ({"audience": "https://api.example.com/else"}, "invalid_target"),
        ({"audience": "billing"}, "invalid_target"),
        ({"resource": [AUDIENCE, "https://api.example.com/else"]}, "invalid_target"),
        ({"resource": AUDIENCE, "audience": "https://api.example.com/else"}, "invalid_target"),
    ],
)
def test_more_than_the_subject_token_has_is_refused(form: Any, error: str, orders: Any, alice: Any) -> None:
    assert_refused(ask_for(for_alice(alice), orders, **form), 400, error)


@pytest.mark.requirement("8693-2.1-b")
def test_scope_and_resources_are_those_of_the_token_that_the_client_may_have(alice: Any) -> None:
    narrow = api(scope="orders:read other", allowed_resources=[INVOICES, "https://api.example.com/else"])
    received = for_alice(alice)

    members = exchanged(received, narrow)
    seen = answer(members["access_token"], narrow)
    assert (seen["scope"], seen["aud"]) == ("orders:read", [INVOICES])
    assert_refused(ask_for(received, narrow, scope="orders:write"), 400, "invalid_scope")
    assert_refused(ask_for(received, narrow, resource=AUDIENCE), 400, "invalid_target")
    assert_refused(ask_for(received, narrow, scope="other"), 400, "invalid_scope")
    nothing = api(scope="other")
    assert_refused(ask_for(received, nothing), 400, "invalid_scope")


@pytest.mark.requirement("8693-2.1-b")
def test_resource_and_audience_may_be_repeated_and_name_the_same(orders: Any, alice: Any) -> None:
    members = exchanged(for_alice(alice), orders, resource=[AUDIENCE], audience=[INVOICES, AUDIENCE])

    assert set(answer(members["access_token"], orders)["aud"]) == set(BOTH)


def test_the_token_lives_no_longer_than_the_subject_token_and_the_tokens_of_the_client(alice: Any) -> None:
    received = for_alice(alice, lifetime=timedelta(seconds=100))

    assert 98 <= exchanged(received, api())["expires_in"] <= 100
    assert exchanged(received, api(access_token_lifetime=30))["expires_in"] == 30


def test_authorization_details_are_narrowed_and_never_dropped(alice: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "AUTHORIZATION_DETAILS_TYPES": {"payment": None}}
    payment = {"type": "payment", "actions": ["initiate", "status"], "locations": [INVOICES]}
    received = for_alice(alice, authorization_details=[payment])
    part = '[{"type": "payment", "actions": ["status"], "locations": ["https://api.example.com/invoices"]}]'
    more = '[{"type": "payment", "actions": ["cancel"], "locations": ["https://api.example.com/invoices"]}]'
    bank = api(authorization_details_types=["payment"])

    assert exchanged(received, bank)["authorization_details"] == [payment]
    narrowed = exchanged(received, bank, authorization_details=part)["authorization_details"]
    assert narrowed == [{**payment, "actions": ["status"]}]
    assert_refused(ask_for(received, bank, authorization_details=more), 400, "invalid_authorization_details")
    assert_refused(ask_for(received, api()), 400, "invalid_authorization_details")


# Delegation and impersonation


@pytest.mark.requirement("8693-4.1-a")
def test_the_actor_token_names_the_actor_who_is_a_user_or_the_client(orders: Any, alice: Any) -> None:
    support = factories.UserFactory()
    of_user = factories.TokenFactory(client=orders.client, user=support).access_token
    of_client = factories.TokenFactory(client=orders.client).access_token
    received = for_alice(alice)

    for value, name in ((of_user, str(support.pk)), (of_client, "orders-api")):
        form = {"actor_token": value, "actor_token_type": ACCESS_TOKEN}
        seen = answer(exchanged(received, orders, **form)["access_token"], orders)
        assert (seen["sub"], seen["act"]) == (str(alice.pk), {"sub": name, "iss": ISSUER})


@pytest.mark.requirement("8693-2.1-c", "8693-2.2.2-a")
def test_an_actor_token_that_is_not_the_clients_own_and_active_is_refused(orders: Any, alice: Any) -> None:
    received = for_alice(alice)
    own = factories.TokenFactory(client=orders.client, refresh=True)
    bound = factories.TokenFactory(client=orders.client, members={"cnf": {"jkt": JKT}})
    acting = factories.TokenFactory(client=orders.client, user=alice, members={"act": {"sub": "x"}})
    ended = factories.TokenFactory(client=orders.client)
    revoke_token(ended.token, by=None)

    for value in (
        received.access_token,
        for_alice(alice).access_token,
        own.refresh_token,
        bound.access_token,
        acting.access_token,
        ended.access_token,
    ):
        response = ask_for(received, orders, actor_token=value, actor_token_type=ACCESS_TOKEN)
        assert_refused(response, 400, "invalid_request", value)


@pytest.mark.requirement("8693-1.1-P")
def test_an_impersonation_needs_its_own_permission_and_names_no_actor(orders: Any, alice: Any) -> None:
    trusted = api(may_impersonate=True)
    received = for_alice(alice)
    own = factories.TokenFactory(client=trusted.client).access_token

    assert "act" not in answer(exchanged(received, trusted)["access_token"], trusted)
    delegated = exchanged(received, trusted, actor_token=own, actor_token_type=ACCESS_TOKEN)["access_token"]
    assert answer(delegated, trusted)["act"]["sub"] == trusted.client.client_id
    assert "act" in answer(exchanged(received, orders)["access_token"], orders)


@pytest.mark.requirement("8693-4.1-a")
def test_each_api_of_a_chain_is_an_actor_and_none_is_forgotten(orders: Any, alice: Any) -> None:
    invoices = api(client_id="invoices-api", resources=[INVOICES])
    trusted = api(may_impersonate=True, resources=[INVOICES])
    first = exchanged(for_alice(alice), orders)["access_token"]
    second = exchanged(first, invoices)["access_token"]

    assert answer(second, invoices)["act"] == {
        "sub": "invoices-api",
        "iss": ISSUER,
        "act": {"sub": "orders-api", "iss": ISSUER},
    }
    assert answer(exchanged(first, trusted)["access_token"], trusted)["act"] == {"sub": "orders-api", "iss": ISSUER}


def claims_of(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return jose.read(response.json()["access_token"])[1]


@pytest.mark.parametrize("takes_jwt", [False, True])
def test_a_jwt_shows_its_holder_no_member_that_introspection_hides(alice: Any, settings: Any, takes_jwt: bool) -> None:
    """Whoever exchanges a token holds the new one, and can read it if it is a JWT."""
    resource = {"FORMAT": "jwt", "SCOPES": ["orders:read", "orders:write"]}
    values = {"SIGNING_KEYS": [{"KEY": jose.pem("ES256")}], "RESOURCES": {AUDIENCE: resource} if takes_jwt else {}}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **values}
    client = api(visible_members=["scope", "exp", "sub"], access_token_format="opaque" if takes_jwt else "jwt")
    received = for_alice(alice, members={"acr": "gold", "email": "alice@example.com"})

    claims = claims_of(ask_for(received, client, resource=AUDIENCE))

    assert claims.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "act"}


def test_no_jwt_is_made_that_shows_a_user_who_is_hidden(alice: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    client = api(visible_members=["scope", "exp"], access_token_format="jwt")
    own = factories.TokenFactory(client=client.client, scope="orders:read", audience=BOTH)

    assert_refused(ask_for(for_alice(alice), client, resource=AUDIENCE), 400, "invalid_target")
    assert claims_of(ask_for(own, client, resource=AUDIENCE))["sub"]


def test_no_jwt_is_made_that_shows_an_actor_who_is_hidden(orders: Any, alice: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    first = ask_for(for_alice(alice), orders).json()["access_token"]
    second = api(client_id="second", visible_members=["sub", "act"], access_token_format="jwt")
    third = api(client_id="third", visible_members=["sub"], access_token_format="jwt")

    assert claims_of(ask_for(first, second, resource=AUDIENCE))["act"]["act"]["sub"] == "orders-api"
    assert_refused(ask_for(first, third, resource=AUDIENCE), 400, "invalid_target")


def test_a_chain_of_actors_has_an_end(orders: Any, alice: Any) -> None:
    value = for_alice(alice).access_token
    for _ in range(MAX_ACTORS):
        value = exchanged(value, orders)["access_token"]

    assert_refused(ask_for(value, orders), 400, "invalid_request")


@pytest.mark.requirement("8693-4.4-a")
def test_only_the_party_that_may_act_gets_a_token_and_answers_name_it(orders: Any, alice: Any) -> None:
    received = for_alice(alice, members={"may_act": {"sub": "orders-api"}})
    other = api(client_id="other-api")

    assert answer(received.access_token, orders)["may_act"] == {"sub": "orders-api"}
    assert answer(exchanged(received, orders)["access_token"], orders)["act"]["sub"] == "orders-api"
    assert_refused(ask_for(received, other), 400, "invalid_request")
    assert_refused(ask_for(received, api(may_impersonate=True)), 400, "invalid_request")


@pytest.mark.requirement("8693-4.1-a", "8693-4.4-a")
@pytest.mark.parametrize("members", [{"act": {"sub": "a", "exp": 1}}, {"act": "a"}, {"may_act": []}])
def test_an_actor_that_is_none_is_not_issued(members: Any) -> None:
    with pytest.raises(ValidationError, match=r"The member (act|may_act) must be an object"):
        factories.TokenFactory(members=members)


# Keys


def test_a_bound_token_becomes_no_bearer_token(orders: Any, alice: Any) -> None:
    received = for_alice(alice, members={"cnf": {"jkt": JKT}})

    assert_refused(ask_for(received, orders), 400, "invalid_request")
    assert not Token.objects.filter(client=orders.client).exists()


@pytest.mark.parametrize(
    ("is_own", "cnf", "granted"),
    [
        (True, {"jkt": JKT}, True),
        (True, {"jkt": JKT, "x5t#S256": "certificate"}, True),
        (True, {"jkt": "another"}, False),
        (True, {"x5t#S256": JKT}, False),
        (True, {}, False),
        (False, {"jkt": "another"}, True),
        (False, {}, False),
    ],
)
def test_the_holder_shows_its_key_and_an_api_binds_to_its_own(
    is_own: bool, cnf: Any, granted: bool, orders: Any, alice: Any
) -> None:
    from django_introspection.protocol.errors import InvalidRequest
    from django_introspection.protocol.form import Form

    client = orders.client if is_own else factories.RegistrationFactory().client
    received = for_alice(alice, client=client, members={"cnf": {"jkt": JKT}})
    form = Form({"subject_token": [received.access_token], "subject_token_type": [ACCESS_TOKEN]})
    if not granted:
        with pytest.raises(InvalidRequest):
            token_exchange.exchange(orders.client, form, cnf)
        return

    issued = token_exchange.exchange(orders.client, form, cnf)
    assert issued.token.members["cnf"] == cnf


# Revocation


@pytest.fixture
def chain(orders: Any, alice: Any, settings: Any) -> Any:
    """A token, the one that it was exchanged for, and the one after that; and a tombstone for whatever ends."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    received = for_alice(alice)
    invoices = api(resources=[INVOICES])
    first = exchanged(received, orders)["access_token"]
    return received, first, exchanged(first, invoices)["access_token"]


def states(caller: Any, *values: str) -> list[bool]:
    return [answer(value, caller)["active"] for value in values]


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_the_end_of_a_subject_token_ends_what_it_was_exchanged_for(
    chain: Any, orders: Any, batch: int, monkeypatch: pytest.MonkeyPatch, alice: Any
) -> None:
    monkeypatch.setattr(revoking, "BATCH", batch)
    received, first, second = chain
    sibling = for_alice(alice)
    kept = exchanged(sibling, orders)["access_token"]

    assert revoke_token(received.token, by=None, who="test") == 3
    assert states(orders, received.access_token, first, second) == [False] * 3
    assert states(orders, sibling.access_token, kept) == [True, True]
    ended = Token.objects.filter(revoked_by="test")
    assert [revocations.is_revoked(bytes(each.digest)) for each in ended] == [True] * 3
    assert revoke_token(received.token, by=None) == 0


def test_the_end_of_an_exchanged_token_ends_those_after_it_alone(chain: Any, orders: Any) -> None:
    received, first, second = chain

    assert endpoints.post("/oauth/revoke", {"token": first}, auth=orders).status_code == 200
    assert states(orders, received.access_token, first, second) == [True, False, False]


def test_the_end_of_the_grant_or_of_the_tokens_of_its_client_ends_them_too(chain: Any, orders: Any, alice: Any) -> None:
    received, first, second = chain
    assert revoke_grant(received.token.grant_id, by=None) == 4  # with the refresh token
    assert states(orders, received.access_token, first, second) == [False] * 3

    again = for_alice(alice)
    value = exchanged(again, orders)["access_token"]
    assert revoke_client_tokens(again.token.client, by=None) == 3
    assert states(orders, again.access_token, value) == [False, False]


@pytest.mark.parametrize("with_cache", [True, False])
def test_a_deleted_token_or_client_ends_what_was_exchanged_for_it(
    chain: Any, orders: Any, alice: Any, with_cache: bool, settings: Any
) -> None:
    if not with_cache:
        settings.TOKEN_INTROSPECTION = TOKEN_INTROSPECTION
    received, first, second = chain
    received.token.delete()
    assert states(orders, first, second) == [False, False]

    for delete in (lambda each: Token.objects.filter(pk=each.pk).delete(), lambda each: each.client.delete()):
        again = for_alice(alice)
        value = exchanged(again, orders)["access_token"]
        delete(again.token)
        assert states(orders, value) == [False]


def test_a_revoked_refresh_token_ends_the_exchanged_tokens_of_its_grant(orders: Any, alice: Any) -> None:
    shop = factories.RegistrationFactory()
    received = for_alice(alice, client=shop.client)
    value = exchanged(received, orders)["access_token"]

    assert endpoints.post("/oauth/revoke", {"token": received.refresh_token}, auth=shop).status_code == 200
    assert_inactive(endpoints.introspect(value, auth=orders))


def test_a_token_that_is_revoked_during_its_exchange_is_not_exchanged(
    orders: Any, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = for_alice(alice)
    really = token_exchange.narrow_grant

    def revoke_first(*arguments: Any) -> Any:
        revoke_token(received.token, by=None)
        return really(*arguments)

    monkeypatch.setattr(token_exchange, "narrow_grant", revoke_first)
    assert_refused(ask_for(received, orders), 400, "invalid_request")
    assert not Token.objects.filter(client=orders.client).exists()


# Views


@pytest.mark.requirement("8693-4.1-b")
def test_a_view_decides_by_the_outermost_actor_alone() -> None:
    view = protect(permission_classes=[requires_claim(["act", "sub"], "orders-api")])

    with fake_tokens():
        assert ask(view, token(act={"sub": "orders-api", "act": {"sub": "other"}})).status_code == 200
        for act in ({"sub": "other", "act": {"sub": "orders-api"}}, {"act": {"sub": "orders-api"}}, "orders-api"):
            assert_challenge(ask(view, token(act=act)), None, status=403)
        assert_challenge(ask(view, token(sub="orders-api")), None, status=403)
    with pytest.raises(ValueError, match="only the outermost actor counts"):
        requires_claim(["act", "act", "sub"], "orders-api")


def test_the_client_model_takes_no_other_grant() -> None:
    with pytest.raises(ValidationError):
        Client.objects.register(client_name="x", grant_types=["urn:ietf:params:oauth:grant-type:jwt-bearer"])
