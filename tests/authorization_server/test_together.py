"""Where the parts of the authorization server meet: formats, ways to authenticate, policies, refreshing, revoking."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from django_introspection import revocations
from django_introspection.authorization_server.views import IntrospectView
from django_introspection.models import ClientSecret, Token
from django_introspection.protocol.opaque import digest
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused, bearer, introspecting_client
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

INVOICES = "https://api.example.com/invoices"
RESOURCES = {
    AUDIENCE: {"SCOPES": ["orders:read", "orders:write"], "FORMAT": "jwt"},
    INVOICES: {"SCOPES": ["invoices:read"]},
}


@pytest.fixture
def configure(settings: Any) -> Any:
    def change(**changes: Any) -> None:
        keys = [{"KEY": jose.pem("ES256")}]
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": keys, "REVOCATIONS": {}, **changes}

    change()
    return change


@pytest.fixture
def holder(db: None) -> Any:
    """A client that may refresh."""
    return factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"])


def get_token(client: Any, **form: Any) -> Any:
    return endpoints.post("/oauth/token", {"grant_type": "client_credentials", **form}, auth=client)


def is_jwt(token: str) -> bool:
    return token.count(".") == 2


@pytest.mark.requirement("9068-3-b", "9068-2.2.3-a", "8707-2.2-b", "9728-7.4-a")
def test_the_format_is_that_of_the_resource_and_the_scope_what_it_understands(configure: Any) -> None:
    configure(RESOURCES=RESOURCES)
    shop = factories.RegistrationFactory(
        scope="orders:read orders:write invoices:read", allowed_resources=[AUDIENCE, INVOICES]
    )

    orders, invoices = (get_token(shop, resource=each).json() for each in (AUDIENCE, INVOICES))
    ambiguous = get_token(shop, scope="orders:read invoices:read")

    assert (is_jwt(orders["access_token"]), is_jwt(invoices["access_token"])) == (True, False)
    assert jose.read(orders["access_token"])[1]["scope"] == orders["scope"] == "orders:read orders:write"
    assert jose.read(orders["access_token"])[1]["aud"] == [AUDIENCE]
    assert invoices["scope"] == "invoices:read"
    assert_refused(ambiguous, 400, "invalid_scope")


def test_a_format_that_does_not_exist_is_found_at_start_up(configure: Any) -> None:
    from django_introspection.checks import check_settings

    configure(RESOURCES={AUDIENCE: {"FORMAT": "paseto"}})

    (message,) = check_settings()
    assert message.msg.startswith(f"TOKEN_INTROSPECTION['RESOURCES']['{AUDIENCE}']['FORMAT']")


@pytest.mark.requirement("9728-4-a", "8414-2-i")
def test_the_metadata_name_the_resources_and_their_scopes(configure: Any, client: Any) -> None:
    configure(RESOURCES=RESOURCES)

    members = client.get("/.well-known/oauth-authorization-server").json()

    assert members["protected_resources"] == [AUDIENCE, INVOICES]
    assert members["scopes_supported"] == ["introspection", "invoices:read", "orders:read", "orders:write"]


@pytest.mark.requirement("9068-2.2.1-a")
@pytest.mark.parametrize("form", ["opaque", "jwt"])
def test_a_refresh_keeps_format_person_and_how_they_logged_in(
    configure: Any, holder: Any, user: Any, form: str, resource_server: Any
) -> None:
    holder.client.access_token_format = form
    holder.client.save()
    login = {"auth_time": 1_700_000_000, "acr": "gold"}
    issued = factories.TokenFactory(client=holder.client, user=user, refresh=True, members=login)

    form_data = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    refreshed = endpoints.post("/oauth/token", form_data, auth=holder).json()
    before, after = (
        endpoints.introspect(token, auth=resource_server).json()
        for token in (issued.access_token, refreshed["access_token"])
    )

    assert is_jwt(refreshed["access_token"]) is (form == "jwt")
    assert not is_jwt(refreshed["refresh_token"])
    assert before["active"] is after["active"] is True
    assert {name: after[name] for name in ("auth_time", "acr", "sub", "username")} == {
        **login,
        "sub": str(user.pk),
        "username": user.username,
    }
    if form == "jwt":
        assert {name: jose.read(refreshed["access_token"])[1][name] for name in login} == login


def test_the_tombstone_of_a_jwt_is_of_what_was_signed(configure: Any) -> None:
    shop = factories.RegistrationFactory(access_token_format="jwt")
    token = get_token(shop).json()["access_token"]
    identity = digest(token.rpartition(".")[0])
    assert revocations.is_revoked(identity) is False

    endpoints.post("/oauth/revoke", {"token": jose.other_signature(token)}, auth=shop)

    assert revocations.is_revoked(identity) is True


@pytest.mark.requirement("9449-5-b")
def test_a_refreshed_token_that_is_bound_to_a_key_says_so(configure: Any, holder: Any, user: Any) -> None:
    issued = factories.TokenFactory(client=holder.client, user=user, refresh=True, members={"cnf": {"jkt": "x"}})

    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}

    assert endpoints.post("/oauth/token", form, auth=holder).json()["token_type"] == "DPoP"


@pytest.mark.requirement("9700-2.5-a")
@pytest.mark.parametrize("policy", ["own", "audience", "any"])
@pytest.mark.parametrize("form", ["opaque", "jwt"])
@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post", "private_key_jwt", "bearer"])
def test_an_introspection_is_one_statement_with_a_secret_and_two_without(
    configure: Any, user: Any, django_assert_num_queries: Any, way: str, form: str, policy: str
) -> None:
    method = "client_secret_basic" if way == "bearer" else way
    keys = {"jwks": {"keys": [jose.public("ES256")]}} if way == "private_key_jwt" else {}
    caller = introspecting_client(token_endpoint_auth_method=method, introspection_policy=policy, **keys)
    holder = factories.RegistrationFactory(access_token_format=form).client
    token = factories.TokenFactory(client=holder, user=user).access_token
    credentials: dict[str, str] = {}
    auth: Any = bearer(caller) if way == "bearer" else caller
    if way == "client_secret_post":
        auth, credentials = None, {"client_id": caller.client.client_id, "client_secret": caller.secret}

    def ask() -> Any:
        if way == "private_key_jwt":
            form = {"token": token, **jose.asserting(jose.assertion(caller.client.client_id))}
            return endpoints.post("/oauth/introspect", form)
        return endpoints.post("/oauth/introspect", {"token": token, **credentials}, auth=auth)

    assert ask().status_code == 200
    with django_assert_num_queries(1 if way.startswith("client_secret") else 2):
        answer = ask()

    assert answer.json()["active"] is (policy != "own")


@pytest.mark.django_db(transaction=True)
def test_the_last_use_of_a_secret_is_written_when_the_answer_has_been_sent(resource_server: Any) -> None:
    headers = {"Authorization": endpoints.basic(resource_server.client.client_id, resource_server.secret)}
    request = RequestFactory().post("/", "token=unknown", content_type=endpoints.FORM, headers=headers)

    response = IntrospectView.as_view()(request)
    before = ClientSecret.objects.get().last_used_at
    response.close()

    assert response.status_code == 200
    assert before is None
    assert ClientSecret.objects.get().last_used_at is not None


def test_a_jwt_whose_row_was_purged_is_inactive(configure: Any, resource_server: Any) -> None:
    token = get_token(factories.RegistrationFactory(access_token_format="jwt")).json()["access_token"]
    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True

    Token.objects.all().delete()

    assert_inactive(endpoints.introspect(token, auth=resource_server))


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
@pytest.mark.parametrize(
    "twin", ["ORDERS-CLIENT", "orders-client ", "Örders-client"], ids=["case", "padding", "accent"]
)
def test_a_client_id_that_a_collation_takes_for_the_right_one_is_another(db: None, way: str, twin: str) -> None:
    keys = {"jwks": {"keys": [jose.public("ES256")]}} if way == "private_key_jwt" else {}
    client, secret = factories.RegistrationFactory(client_id="orders-client", token_endpoint_auth_method=way, **keys)

    def get(client_id: str) -> Any:
        form = {"grant_type": "client_credentials"}
        if way == "client_secret_basic":
            return endpoints.post("/oauth/token", form, auth=endpoints.basic(client_id, secret))
        if way == "client_secret_post":
            return endpoints.post("/oauth/token", {**form, "client_id": client_id, "client_secret": secret})
        return endpoints.post("/oauth/token", {**form, **jose.asserting(jose.assertion(client_id))})

    assert get(client.client_id).status_code == 200
    assert_refused(get(twin), 401, "invalid_client")


@pytest.mark.parametrize("alter", [lambda token: token, jose.other_signature], ids=["itself", "its other signature"])
def test_a_caller_with_a_jwt_cannot_ask_about_it_under_any_signature(configure: Any, alter: Any) -> None:
    caller = introspecting_client(access_token_format="jwt")
    authorization = bearer(caller)
    token = authorization.partition(" ")[2]

    assert_refused(endpoints.introspect(alter(token), auth=authorization), 401, "invalid_token")
