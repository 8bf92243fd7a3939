from __future__ import annotations

import asyncio
import time
import unittest
from typing import Any

import pytest
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory, override_settings
from rest_framework.test import APIClient, APIRequestFactory

from django_introspection import aintrospect, introspect, testing
from django_introspection.decorators import token_required
from django_introspection.exceptions import IntrospectionUnavailable
from tests import factories
from tests.resource_server.protected import protect
from tests.settings import AUDIENCE, ISSUER

OTHER = "https://api.example.com/invoices"
REMOTE = {
    "introspection_url": "https://auth.example.com/introspect",
    "issuer": "https://auth.example.com",
    "client_id": "orders-api",
    "client_secret": "a secret of the orders API",
    "audience": [AUDIENCE, OTHER],
}
REMOTE_SETTINGS = {
    "BACKENDS": {"default": {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": REMOTE}}
}


def get(token: str) -> Any:
    return Client().get("/whoami", headers=testing.bearer(token))


def test_a_token_with_the_scope_opens_the_view(introspection_tokens: None) -> None:
    response = Client().get("/whoami", headers=testing.bearer(scope="orders:read", sub="alice"))

    assert response.status_code == 200
    assert response.json()["sub"] == "alice"


def test_a_token_without_the_scope_is_refused_as_in_production(introspection_tokens: None) -> None:
    response = get(testing.token(scope=["orders:write", "invoices"]))

    testing.assert_challenge(response, "insufficient_scope", scope="orders:read", realm="api")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 60},
        {"nbf": int(time.time()) + 3600},
        {"aud": OTHER},
        {"aud": None},
        {"token_type": None},
        {"token_use": "refresh_token"},
        {"cnf": {"jkt": "thumbprint"}},
    ],
    ids="-".join,
)
def test_a_token_that_this_resource_server_may_not_take_is_refused(
    claims: dict[str, Any], introspection_tokens: None
) -> None:
    testing.assert_challenge(get(testing.token(scope="orders:read", **claims)), "invalid_token")


def test_a_token_of_another_issuer_is_refused(settings: Any, introspection_tokens: None) -> None:
    settings.TOKEN_INTROSPECTION = REMOTE_SETTINGS

    assert introspect(testing.token(iss=ISSUER)) is not None
    assert introspect(testing.token(iss="https://evil.example")) is None


def test_what_is_not_said_is_usual_for_the_backend_that_is_asked(settings: Any, introspection_tokens: None) -> None:
    settings.TOKEN_INTROSPECTION = REMOTE_SETTINGS
    before = int(time.time())

    info = introspect(testing.token())

    assert info is not None
    assert info.client_id == info.sub == "test-client"
    assert info.iss == REMOTE["issuer"]
    assert set(info.audiences) == {AUDIENCE, OTHER}
    assert before <= info["iat"] <= time.time()
    assert info["exp"] - info["iat"] == 3600
    assert info.scopes == set()


def test_the_two_sad_paths(introspection_tokens: None) -> None:
    testing.assert_challenge(get(testing.inactive()), "invalid_token")
    response = get(testing.unavailable(retry_after=7))
    testing.assert_unavailable(response)
    assert response["Retry-After"] == "7"


@pytest.mark.parametrize("token", ["unknown", "test-token-", "test-token-e30=", "test-token-e", "test-token-____"])
def test_any_other_token_is_unknown_and_nobody_is_asked(token: str, settings: Any, introspection_tokens: None) -> None:
    """Without a database: the backend of the suite would ask it."""
    testing.assert_challenge(get(token), "invalid_token")


@pytest.mark.parametrize("claims", [{"exp": "soon"}, {"scope": 'with "quotes"'}, {"aud": 5}, {"client_id": 3}], ids=str)
def test_claims_that_no_answer_may_have_are_refused_when_the_token_is_made(claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"answer|scope"):
        testing.token(**claims)


def test_a_token_and_claims_together_are_refused() -> None:
    with pytest.raises(TypeError, match="not both"):
        testing.bearer("token", scope="orders:read")


@pytest.mark.django_db
def test_outside_the_token_means_nothing() -> None:
    token = testing.token(scope="orders:read")
    with testing.fake_tokens():
        assert get(token).status_code == 200

    testing.assert_challenge(get(token), "invalid_token")


def test_it_ends_with_the_outermost(introspection_tokens: None) -> None:
    token = testing.token(scope="orders:read")

    with testing.fake_tokens():
        assert get(token).status_code == 200

    assert get(token).status_code == 200


def test_settings_may_change_inside(introspection_tokens: None) -> None:
    token = testing.token(aud=OTHER)

    assert introspect(token) is None
    with override_settings(TOKEN_INTROSPECTION=REMOTE_SETTINGS):
        assert introspect(token) is not None
    assert introspect(token) is None


def test_the_settings_are_read_as_ever(settings: Any, introspection_tokens: None) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {"BACKEND": "nowhere"}}}

    with pytest.raises(LookupError, match="partner"):
        introspect(testing.token(), using="partner")
    with pytest.raises(Exception, match="cannot be imported"):
        introspect(testing.token())


@pytest.mark.django_db
def test_a_user_of_the_project_is_the_user_of_the_request(introspection_tokens: None) -> None:
    user = factories.UserFactory()
    view = protect()
    request = testing.authenticate(APIRequestFactory().get("/"), user=user)

    assert view.as_view()(request).status_code == 200
    assert view.ran[0].user == user
    assert view.ran[0].auth.sub == str(user.pk)
    assert view.ran[0].auth.username == user.get_username()


@pytest.mark.django_db
def test_a_user_who_may_not_log_in_is_refused(introspection_tokens: None) -> None:
    user = factories.UserFactory()
    token = testing.token(user=user)
    assert introspect(token) is not None

    user.is_active = False
    user.save()

    assert introspect(token) is None


@pytest.mark.django_db
def test_a_remote_server_knows_no_user_of_the_project(settings: Any, introspection_tokens: None) -> None:
    settings.TOKEN_INTROSPECTION = REMOTE_SETTINGS
    user, view = factories.UserFactory(), protect()

    view.as_view()(testing.authenticate(APIRequestFactory().get("/"), user=user))

    assert view.ran[0].user != user
    assert view.ran[0].user.token_info.sub == str(user.pk)


def test_clients_stay_authenticated(introspection_tokens: None) -> None:
    for client in (APIClient(), Client()):
        testing.authenticate(client, scope="orders:read")
        assert [client.get("/whoami").status_code for _ in range(2)] == [200, 200]
        assert client.get("/whoami", headers=testing.bearer(testing.inactive())).status_code == 401


def test_an_async_client_stays_authenticated(introspection_tokens: None) -> None:
    async def story() -> list[int]:
        client = testing.authenticate(AsyncClient(), scope="orders:read")
        other = testing.bearer(testing.inactive())
        return [(await client.get("/whoami")).status_code, (await client.get("/whoami", headers=other)).status_code]

    assert asyncio.run(story()) == [200, 401]


@pytest.mark.parametrize("factory", [RequestFactory, APIRequestFactory, AsyncRequestFactory])
def test_requests_and_the_factories_that_make_them(factory: Any, introspection_tokens: None) -> None:
    token = testing.token()
    made = testing.authenticate(factory(), token).get("/")
    late = factory().get("/")
    assert "Authorization" not in late.headers

    testing.authenticate(late, token)

    assert made.headers["Authorization"] == late.headers["Authorization"] == f"Bearer {token}"
    assert protect().as_view()(late).status_code == 200


def test_an_http_client_and_nothing_else() -> None:
    class Session:
        headers: dict[str, str] = {}

    assert testing.authenticate(Session(), "token").headers == {"Authorization": "Bearer token"}
    with pytest.raises(TypeError, match="int sends no requests"):
        testing.authenticate(3)


def test_the_async_door_answers_alike(settings: Any, introspection_tokens: None) -> None:
    settings.TOKEN_INTROSPECTION = REMOTE_SETTINGS

    async def story() -> None:
        info = await aintrospect(testing.token(sub="alice"))
        assert info is not None
        assert info.sub == "alice"
        assert await aintrospect(testing.inactive()) is None
        with pytest.raises(IntrospectionUnavailable):
            await aintrospect(testing.unavailable())

    asyncio.run(story())


@testing.fake_tokens()
def test_as_the_decorator_of_a_function() -> None:
    assert introspect(testing.token()) is not None


def test_as_the_decorator_of_an_async_function() -> None:
    @testing.fake_tokens()
    async def story() -> Any:
        await asyncio.sleep(0)
        return await aintrospect(testing.token())

    assert asyncio.run(story()) is not None


@testing.fake_tokens()
class DecoratedTests(unittest.TestCase):
    def test_every_method_has_them(self) -> None:
        assert introspect(testing.token()) is not None

    @override_settings(TOKEN_INTROSPECTION=REMOTE_SETTINGS)
    def test_with_other_settings(self) -> None:
        assert introspect(testing.token(aud=OTHER)) is not None


class EnteringTests(unittest.TestCase):
    def setUp(self) -> None:
        self.enterContext(testing.fake_tokens())

    def test_a_context_can_be_entered_in_set_up(self) -> None:
        assert introspect(testing.token()) is not None


def test_other_threads_see_it(introspection_tokens: None) -> None:
    token = testing.token(sub="alice")

    async def story() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(introspect, token) for _ in range(8)))

    assert {info.sub for info in asyncio.run(story())} == {"alice"}


def test_plain_views_are_protected_by_the_door(rf: RequestFactory, introspection_tokens: None) -> None:
    def view(request: HttpRequest) -> JsonResponse:
        info = introspect(request.headers["Authorization"].removeprefix("Bearer "))
        return JsonResponse({"sub": info and info.sub})

    assert view(testing.authenticate(rf.get("/"), sub="alice")).content == b'{"sub": "alice"}'


def test_the_decorator_of_async_views(introspection_tokens: None) -> None:
    @token_required(scope="orders:read")
    async def orders(request: Any) -> JsonResponse:
        return JsonResponse({"sub": request.token_info.sub})

    async def story() -> None:
        requests = AsyncRequestFactory()
        good = testing.authenticate(requests.get("/"), scope="orders:read", sub="alice")
        bad = testing.authenticate(requests.get("/"), scope="orders:write")
        assert (await orders(good)).content == b'{"sub": "alice"}'
        testing.assert_challenge(await orders(bad), "insufficient_scope", scope="orders:read")
        testing.assert_challenge(await orders(requests.get("/")))

    asyncio.run(story())


@pytest.mark.django_db
def test_the_entry_user_finds_local_users_as_in_production(settings: Any, introspection_tokens: None) -> None:
    user, view = factories.UserFactory(username="alice"), protect()
    resolver = "django_introspection.resource_server.local_users.LocalUser"
    options = {"claim": "sub", "field": "username"}
    entry = {**REMOTE_SETTINGS["BACKENDS"]["default"], "USER": {"RESOLVER": resolver, "OPTIONS": options}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": entry}}

    view.as_view()(testing.authenticate(APIRequestFactory().get("/"), sub="alice"))

    assert view.ran[0].user == user
