from __future__ import annotations

import pytest

from django_introspection.authorization_server.policy import may_see
from django_introspection.models import Client
from django_introspection.protocol.token_info import TokenInfo
from tests import endpoints, factories
from tests.authorization_server.helpers import assert_refused, bearer, introspecting_client
from tests.settings import AUDIENCE, ISSUER

ELSEWHERE = "https://api.example.com/invoices"
OWN = {"own access token", "own refresh token"}


def tokens_of_the_world(caller: Client) -> dict[str, str]:
    """Tokens of the caller and of another client, by what they are."""
    own = factories.TokenFactory(client=caller, audience=[ELSEWHERE], refresh=True)
    served = factories.TokenFactory(audience=[ELSEWHERE, AUDIENCE], refresh=True)
    return {
        "own access token": own.access_token,
        "own refresh token": own.refresh_token,
        "token for what it serves": served.access_token,
        "refresh token for what it serves": served.refresh_token,
        "token for elsewhere": factories.TokenFactory(audience=[ELSEWHERE]).access_token,
        "token for nobody": factories.TokenFactory(audience=[]).access_token,
    }


@pytest.mark.requirement("7662-2.2-c", "7662-2.2-n", "7662-4-e")
@pytest.mark.parametrize(
    ("policy", "visible"),
    [
        ("own", OWN),
        ("audience", OWN | {"token for what it serves"}),
        ("any", OWN | {"token for what it serves", "token for elsewhere", "token for nobody"}),
    ],
)
def test_a_caller_sees_what_its_policy_lets_it_see(db: None, policy: str, visible: set[str]) -> None:
    caller = factories.ResourceServerFactory(introspection_policy=policy)

    seen = {
        name
        for name, token in tokens_of_the_world(caller.client).items()
        if endpoints.introspect(token, auth=caller).json()["active"]
    }

    assert seen == visible


def test_the_policy_none_hides_even_its_own_tokens(db: None) -> None:
    caller = factories.ResourceServerFactory(introspection_policy="none")

    for token in tokens_of_the_world(caller.client).values():
        assert_refused(endpoints.introspect(token, auth=caller), 403, "unauthorized_client", token)


def test_a_bearer_caller_has_the_policy_of_its_client(db: None) -> None:
    caller = introspecting_client()
    header = bearer(caller)

    seen = {
        name
        for name, token in tokens_of_the_world(caller.client).items()
        if endpoints.introspect(token, auth=header).json()["active"]
    }
    Client.objects.filter(pk=caller.client.pk).update(introspection_policy="none")

    assert seen == OWN | {"token for what it serves"}
    assert_refused(endpoints.introspect("unknown", auth=header), 403, "unauthorized_client")


def test_what_a_client_may_ask_for_shows_it_no_tokens(db: None) -> None:
    caller = factories.RegistrationFactory(introspection_policy="audience", allowed_resources=[AUDIENCE], resources=[])

    response = endpoints.introspect(factories.TokenFactory().access_token, auth=caller)

    assert response.json() == {"active": False}


def test_serving_the_issuer_is_what_shows_tokens_to_introspect_with(db: None) -> None:
    token = bearer(introspecting_client()).removeprefix("Bearer ")
    serving = factories.ResourceServerFactory(resources=[ISSUER])

    assert endpoints.introspect(token, auth=serving).json()["aud"] == [ISSUER]
    assert endpoints.introspect(token, auth=factories.ResourceServerFactory()).json() == {"active": False}


@pytest.mark.parametrize(("resources", "policy"), [([AUDIENCE], "audience"), ([], "own")])
def test_a_new_client_has_the_narrowest_policy_that_serves_it(db: None, resources: list[str], policy: str) -> None:
    assert Client.objects.register(client_name="New", resources=resources).client.introspection_policy == policy


def test_the_policy_none_holds_without_the_endpoint_in_front_of_it() -> None:
    caller = Client(client_id="orders", introspection_policy="none")

    assert not may_see(TokenInfo({"client_id": "orders", "token_type": "Bearer"}), caller)


def test_a_client_of_the_same_name_at_another_issuer_is_somebody_else() -> None:
    caller = Client(client_id="shop", introspection_policy="own", resource_scopes="", filter_scope=False)
    info = {"client_id": "shop", "token_type": "Bearer", "sub": "alice"}

    assert may_see(TokenInfo(info), caller)
    assert may_see(TokenInfo({**info, "iss": ISSUER}), caller)
    assert not may_see(TokenInfo({**info, "iss": "https://other.example.com"}), caller)
