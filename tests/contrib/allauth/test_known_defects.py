"""Defects of other implementations, and traps of allauth, tried against its tokens and clients."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from allauth.idp.oidc.models import Client as OIDCClient
from allauth.idp.oidc.models import Token
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.authorization_server.client_sources import _source
from django_introspection.check_messages import TAG
from django_introspection.models import Client
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_inactive, assert_refused, without_table
from tests.contrib.hashers import CountingHasher, statements
from tests.resource_server.protected import ask, protect
from tests.resource_server.protected import assert_refused as assert_view_refused
from tests.settings import AUDIENCE, ISSUER

from . import flows


def issued(kind: str, client: Any = None, **fields: Any) -> str:
    """Put a token of any kind into the table."""
    row = Token(type=kind, client=client, expires_at=timezone.now() + timedelta(hours=1), **fields)
    row.set_value("the-value")
    row.save()
    return "the-value"


def test_a_client_reads_no_token_of_another_unless_our_admin_says_so(shop: flows.Registered, configured: Any) -> None:
    caller, token = flows.register(), flows.client_credentials(shop)
    assert_inactive(flows.introspect(token, caller))
    configured(CLIENT_POLICY="any")

    assert flows.members(token, caller)["active"] is True


def test_a_row_of_our_admin_widens_filters_and_shuts_out(shop: flows.Registered) -> None:
    caller = flows.resource_server("audience", resources=[AUDIENCE], visible_members=["scope"])

    assert flows.members(flows.client_credentials(shop, resource=AUDIENCE), caller) == {
        "active": True,
        "scope": "orders:read",
    }
    assert_inactive(flows.introspect(flows.client_credentials(shop), caller))
    Client.objects.update(is_active=False)
    assert_refused(flows.introspect("x", caller), 401, "invalid_client")


def test_whoever_takes_the_identifier_of_a_client_of_ours_takes_nothing_else(db: None) -> None:
    own = factories.ResourceServerFactory(introspection_policy="any").client

    assert_refused(flows.introspect("x", flows.register(id=own.client_id)), 401, "invalid_client")


@pytest.mark.parametrize("stored", ["", "!unusable", "the-plain-secret", "md5$broken"])
def test_a_secret_that_is_no_hash_opens_nothing(shop: flows.Registered, stored: str) -> None:
    OIDCClient.objects.update(secret=stored)

    for given in ("", stored, "x"):
        auth = endpoints.basic(shop.client.id, given)
        assert endpoints.introspect("x", auth=auth).status_code == 401


def test_a_public_client_is_no_caller(db: None) -> None:
    assert_refused(flows.introspect("x", flows.register(type="public")), 401, "invalid_client")


def test_a_token_in_the_url_is_not_read(shop: flows.Registered) -> None:
    headers = {"Authorization": endpoints.basic(shop.client.id, shop.secret)}

    assert Browser().get(f"{flows.API}/introspect?token=x", headers=headers).status_code == 405


def test_a_disabled_user_has_no_active_token(api: flows.Registered, user: Any) -> None:
    client = flows.register()
    tokens = flows.authorization_code(client, user)
    get_user_model().objects.update(is_active=False)

    assert_inactive(flows.introspect(tokens["access_token"], api))
    assert_inactive(flows.introspect(tokens["refresh_token"], client))
    assert flows.view(tokens["access_token"]).status_code == 401


def test_a_token_without_a_client_or_of_a_type_that_is_not_served_is_inactive(
    api: flows.Registered, settings: Any
) -> None:
    assert_inactive(flows.introspect(issued("at"), api))
    Token.objects.all().delete()
    value = issued("at", flows.register(type="public").client)
    assert flows.members(value, api)["active"] is True
    settings.IDP_OIDC_AUTH_METHODS = ["client_secret_basic"]

    assert_inactive(flows.introspect(value, api))


@pytest.mark.parametrize("kind", ["ia", "ac"])
def test_a_code_and_an_initial_access_token_are_no_tokens(
    kind: str, shop: flows.Registered, api: flows.Registered
) -> None:
    value = issued(kind, shop.client, scopes="orders:read")

    assert_inactive(flows.introspect(value, api))
    assert flows.view(value).status_code == 401


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("use_tz", [True, False])
def test_times_are_right_with_and_without_time_zones(
    shop: flows.Registered, api: flows.Registered, settings: Any, use_tz: bool, zone: str
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = use_tz, zone
    before = int(time.time())

    token = flows.client_credentials(shop)
    members = flows.members(token, api)

    assert before <= members["iat"] <= time.time()
    assert before + 3600 <= members["exp"] <= time.time() + 3600
    Token.objects.update(expires_at=timezone.now())
    assert_inactive(flows.introspect(token, api))


def test_a_token_without_expiry_has_no_exp(shop: flows.Registered, api: flows.Registered) -> None:
    token = flows.client_credentials(shop)
    Token.objects.update(expires_at=None)

    assert "exp" not in flows.members(token, api)


def test_a_client_is_not_the_user_whose_sub_is_chosen_as_its_id(api: flows.Registered, settings: Any) -> None:
    chosen = flows.client_credentials(flows.register(id="42"))
    named = flows.client_credentials(flows.register(id="alice"))

    assert "sub" not in flows.members(chosen, api)
    assert flows.members(named, api)["sub"] == "alice"
    settings.IDP_OIDC_ADAPTER = "tests.contrib.allauth.adapters.ByName"
    assert "sub" not in flows.members(named, api)


def test_a_hashed_secret_is_hashed_once(api: flows.Registered, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.contrib.hashers.CountingHasher", *settings.PASSWORD_HASHERS]
    caller = flows.register()
    CountingHasher.encoded = 0
    for _ in range(3):
        assert_inactive(flows.introspect("x", caller))

    assert CountingHasher.encoded == 1


@pytest.mark.parametrize("used_before", [True, False])
def test_the_right_secret_is_accepted_whatever_strangers_at_the_same_address_do(
    api: flows.Registered, used_before: bool
) -> None:
    caller = flows.register()
    if used_before:
        assert_inactive(flows.introspect("x", caller))
    _source.cache_clear()  # another process
    for number in range(15):
        endpoints.introspect("x", auth=endpoints.basic(f"nobody-{number}", "wrong"))
    assert endpoints.introspect("x", auth=endpoints.basic("nobody", "wrong")).status_code == 429
    if used_before:  # guesses at this client as well
        guesses = [flows.introspect("x", flows.Registered(caller.client, "guess")).status_code for _ in range(2)]
        assert guesses == [401, 429]

    assert_inactive(flows.introspect("x", caller))


def test_a_changed_secret_is_noticed_at_once(shop: flows.Registered) -> None:
    assert_inactive(flows.introspect("x", shop))
    shop.client.set_secret("another-secret")
    shop.client.save()

    assert_refused(flows.introspect("x", shop), 401, "invalid_client")
    assert_inactive(flows.introspect("x", flows.Registered(shop.client, "another-secret")))


def test_an_unknown_client_and_a_wrong_secret_are_the_same_work(shop: flows.Registered, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.contrib.hashers.CountingHasher", *settings.PASSWORD_HASHERS]
    shop.client.set_secret(shop.secret)
    shop.client.save()

    def work(client_id: str) -> tuple[int, list[str]]:
        CountingHasher.encoded = 0
        with CaptureQueriesContext(connection) as captured:
            response = endpoints.introspect("x", auth=endpoints.basic(client_id, "wrong"))
        assert_refused(response, 401, "invalid_client")
        return CountingHasher.encoded, statements(captured, client_id)

    known = work(shop.client.id)
    assert known[0] == 1
    assert known == work("nobody") == work(flows.register(type="public").client.id)


def test_a_bearer_token_for_this_server_asks_about_others_and_not_about_itself(
    api: flows.Registered, shop: flows.Registered
) -> None:
    own = flows.client_credentials(api, "introspection", resource=ISSUER)

    response = endpoints.introspect(flows.client_credentials(shop), auth=f"Bearer {own}")
    assert response.json()["active"] is True
    assert_refused(endpoints.introspect(own, auth=f"Bearer {own}"), 401, "invalid_token")
    weak = flows.client_credentials(api, "introspection")
    assert_refused(endpoints.introspect("x", auth=f"Bearer {weak}"), 401, "invalid_token")
    assert_refused(endpoints.introspect("x", auth="Bearer unknown"), 401, "invalid_token")


def test_the_methods_that_allauth_takes_are_the_ones_that_count(shop: flows.Registered, settings: Any) -> None:
    form = {"token": "x", "client_id": shop.client.id, "client_secret": shop.secret}
    assert_inactive(endpoints.post(f"{flows.API}/introspect", form))
    settings.IDP_OIDC_INTROSPECTION_AUTH_METHODS = ["client_secret_basic"]

    assert_refused(endpoints.post(f"{flows.API}/introspect", form), 401, "invalid_client")


def test_a_healthy_resource_server_asks_as_often_as_it_likes(shop: flows.Registered, api: flows.Registered) -> None:
    token = flows.client_credentials(shop)

    assert {flows.introspect(token, api).status_code for _ in range(60)} == {200}


@pytest.mark.parametrize("data", [{"resources": "urn:a"}, {"resources": [1]}, {"resources": None}])
def test_an_audience_that_is_no_list_of_names_opens_nothing(
    data: Any, shop: flows.Registered, api: flows.Registered
) -> None:
    token = flows.client_credentials(shop)
    Token.objects.update(data=data)

    assert_inactive(flows.introspect(token, api))
    assert flows.view(token).status_code == 401


def test_the_audience_is_a_configured_name_and_can_be_required(shop: flows.Registered) -> None:
    view = protect(authentication_classes=[IntrospectionAuthentication.using("orders")])

    assert ask(view, flows.client_credentials(shop, resource=AUDIENCE)).status_code == 200
    assert_view_refused(ask(view, flows.client_credentials(shop)), 401, "invalid_token")


def test_a_jwt_that_is_bound_to_a_key_opens_no_view_as_a_bearer_token(
    shop: flows.Registered, api: flows.Registered, settings: Any
) -> None:
    settings.IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"
    settings.IDP_OIDC_ADAPTER = "tests.contrib.allauth.adapters.Binding"
    token = flows.client_credentials(shop)

    assert flows.members(token, api)["cnf"] == {"jkt": "x"}
    assert flows.view(token).status_code == 401


def test_a_machine_is_an_authenticated_user(shop: flows.Registered) -> None:
    assert flows.view(flows.client_credentials(shop)).status_code == 200


def test_an_adapter_with_a_hash_and_subjects_of_its_own_is_asked(
    shop: flows.Registered, api: flows.Registered, user: Any, settings: Any
) -> None:
    settings.IDP_OIDC_ADAPTER = "tests.contrib.allauth.adapters.Pairwise"
    token = flows.authorization_code(shop, user)["access_token"]

    assert flows.members(token, api)["sub"] == f"{shop.client.id}|{user.pk}"


@pytest.mark.parametrize(("adapter", "place"), [("Failing", "get_user_sub()"), ("FailingHash", "hash_token()")])
def test_an_adapter_that_fails_is_503_and_named_in_the_log(
    shop: flows.Registered, api: flows.Registered, user: Any, settings: Any, adapter: str, place: str, caplog: Any
) -> None:
    token = flows.authorization_code(shop, user)["access_token"]
    settings.IDP_OIDC_ADAPTER = f"tests.contrib.allauth.adapters.{adapter}"

    assert_refused(flows.introspect(token, api), 503, "temporarily_unavailable")
    assert any(line.startswith(f"{adapter}.{place} raised KeyError at adapters.py:") for line in caplog.messages)


@pytest.mark.parametrize("value", ["nul\x00", "line\nbreak", "\ud800", "x" * 100_000, "a.b.c", ""])
def test_a_value_that_no_database_should_see_is_unknown(value: str, db: None) -> None:
    from django_introspection.contrib.allauth.tokens import answer_for_allauth_token

    assert not answer_for_allauth_token(value)


class ElsewhereRouter:
    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.app_label == "introspection" else None


def test_the_project_passes_its_checks_and_tables_elsewhere_are_an_error(settings: Any) -> None:
    assert checks.run_checks(tags=[TAG]) == []
    settings.DATABASE_ROUTERS = [f"{__name__}.ElsewhereRouter"]

    found = checks.run_checks(tags=[TAG])
    assert {message.id for message in found} == {"introspection.E031"}
    assert {"introspection.Token", "allauth.idp.oidc"} <= {message.obj for message in found}


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_is_said_of_any_token() -> None:
    caller = flows.register()
    flows.introspect("x", caller)
    with without_table(Token):
        answers = [flows.introspect("x", caller), endpoints.introspect("x", auth="Bearer y"), flows.view("x")]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer["Retry-After"] for answer in answers} == {"5"}


def test_whoever_gets_the_identifier_of_a_deleted_client_does_not_get_its_policy(db: None) -> None:
    shop, api = flows.register(), flows.resource_server()
    token = flows.client_credentials(shop)
    assert flows.introspect(token, api).json()["active"] is True
    client_id = api.client.id
    api.client.delete()

    taken = flows.register(id=client_id)

    assert_refused(flows.introspect(token, taken), 401, "invalid_client")
