"""What an application of django-oauth-toolkit may be told, as the settings and our admin say."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwe

from django_introspection.models import Client
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused
from tests.settings import AUDIENCE, ISSUER

from . import flows


@pytest.mark.parametrize(
    ("policy", "own", "others"), [("own", True, False), ("audience", True, False), ("any", True, True)]
)
def test_the_setting_is_for_applications_that_our_admin_does_not_name(
    shop: flows.Application, configured: Any, policy: str, own: bool, others: bool
) -> None:
    configured(CLIENT_POLICY=policy)
    caller = flows.register()

    assert flows.members(flows.client_credentials(caller), caller)["active"] is own
    assert flows.members(flows.client_credentials(shop, resource=AUDIENCE), caller)["active"] is others


def test_by_default_an_application_is_told_about_its_own_tokens_alone(shop: flows.Application) -> None:
    caller = flows.register()

    assert flows.members(flows.client_credentials(caller), caller)["active"] is True
    assert_inactive(flows.introspect(flows.client_credentials(shop), caller))


def test_our_admin_can_say_that_an_application_may_introspect_nothing(shop: flows.Application) -> None:
    caller = flows.resource_server("none")

    assert_refused(flows.introspect(flows.client_credentials(shop), caller), 403, "unauthorized_client")


def test_a_resource_server_is_told_about_tokens_for_what_it_serves(shop: flows.Application) -> None:
    caller = flows.resource_server("audience", resources=[AUDIENCE])
    elsewhere = flows.client_credentials(shop, resource="https://api.example.com/other")

    assert flows.members(flows.client_credentials(shop, resource=AUDIENCE), caller)["active"] is True
    assert_inactive(flows.introspect(elsewhere, caller))
    assert_inactive(flows.introspect(flows.client_credentials(shop), caller))


def test_scopes_and_members_are_filtered_like_for_a_client_of_our_own(shop: flows.Application) -> None:
    caller = flows.resource_server("any", resource_scopes="orders:read", visible_members=["scope", "token_type"])
    token = flows.client_credentials(shop, scope="orders:read orders:write")

    assert flows.members(token, caller) == {"active": True, "scope": "orders:read", "token_type": "Bearer"}


@pytest.mark.requirement("9701-6-a")
def test_the_answers_to_an_application_are_signed_and_encrypted_as_its_row_says(
    shop: flows.Application, configured: Any
) -> None:
    configured(SIGNING_KEYS=[{"KEY": jose.pem("ES256")}])
    recipient = jose.key("ES256", "recipient")
    encryption = {
        "introspection_encrypted_response_alg": "ECDH-ES",
        "jwks": {"keys": [recipient.as_dict(private=False)]},
    }
    for metadata in ({"introspection_signed_response_alg": "ES256"}, encryption):
        caller = flows.resource_server("any", **metadata)
        answer = flows.introspect(flows.client_credentials(shop), caller).content.decode()
        if metadata is encryption:
            algorithms = ["ECDH-ES", "A128CBC-HS256"]
            answer = (jwe.decrypt_compact(answer, recipient, algorithms=algorithms).plaintext or b"").decode()
        _, claims = jose.read(answer)
        assert (claims["aud"], claims["token_introspection"]["active"]) == (caller.client.client_id, True)


def test_a_row_that_is_inactive_shuts_the_application_out(api: flows.Application) -> None:
    Client.objects.update(is_active=False)

    assert_refused(flows.introspect("x", api), 401, "invalid_client")


def test_whoever_takes_the_identifier_of_a_client_of_ours_takes_nothing_else(shop: flows.Application) -> None:
    own = factories.ResourceServerFactory(introspection_policy="any")
    taken = flows.register(client_id=own.client.client_id)

    assert_refused(flows.introspect(flows.client_credentials(shop), taken), 401, "invalid_client")


def test_whoever_registers_the_identifier_of_a_deleted_application_does_not_get_its_policy(
    shop: flows.Application, api: flows.Application
) -> None:
    token, client_id = flows.client_credentials(shop), api.client.client_id
    api.client.delete()

    taken = flows.register(client_id=client_id)

    assert_refused(flows.introspect(token, taken), 401, "invalid_client")


def test_an_application_that_does_not_exist_yet_gets_no_policy(shop: flows.Application, db: None) -> None:
    Client.objects.create(
        client_id="gateway", client_name="Gateway", token_endpoint_auth_method="elsewhere", introspection_policy="any"
    )

    taken = flows.register(client_id="gateway")

    assert_refused(flows.introspect(flows.client_credentials(shop), taken), 401, "invalid_client")


def test_the_row_of_an_application_is_no_way_to_authenticate(api: flows.Application, configured: Any) -> None:
    row = Client.objects.get()
    assert not row.secrets.exists()
    configured(CLIENT_SOURCES=["django_introspection.authorization_server.clients.DatabaseClients"])

    assert_refused(flows.introspect("x", api), 401, "invalid_client")


def bearer(application: flows.Application, **form: Any) -> str:
    return f"Bearer {flows.client_credentials(application, 'introspection', **form)}"


def test_a_bearer_token_for_this_server_asks_about_tokens(shop: flows.Application, api: flows.Application) -> None:
    header = bearer(api, resource=ISSUER)

    response = endpoints.introspect(flows.client_credentials(shop), auth=header)

    assert response.json()["active"] is True


def test_a_bearer_token_without_audience_is_taken_where_the_setting_says_so(
    shop: flows.Application, api: flows.Application, configured: Any
) -> None:
    header, token = bearer(api), flows.client_credentials(shop)
    assert_refused(endpoints.introspect(token, auth=header), 401, "invalid_token")
    configured(BEARER_WITHOUT_AUDIENCE=True)

    assert endpoints.introspect(token, auth=header).json()["active"] is True
    assert_refused(
        endpoints.introspect(token, auth=bearer(api, resource="https://other.example.com")), 401, "invalid_token"
    )


def test_a_bearer_token_of_a_user_or_without_the_scope_is_refused(
    api: flows.Application, user: Any, configured: Any
) -> None:
    configured(BEARER_WITHOUT_AUDIENCE=True)
    of_user = flows.authorization_code(flows.code_application(), user, "introspection")["access_token"]
    weak = flows.client_credentials(api, "orders:read")

    assert_refused(endpoints.introspect("x", auth=f"Bearer {of_user}"), 401, "invalid_token")
    assert_refused(endpoints.introspect("x", auth=f"Bearer {weak}"), 401, "insufficient_scope")
    assert_refused(endpoints.introspect("x", auth="Bearer unknown"), 401, "invalid_token")
