"""The examples of docs/integrations.rst run: sync and async, with refusals and an outage."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.test import Client as Browser
from django.urls import path

from django_introspection import testing
from tests.misbehaving.server import MisbehavingServer
from tests.test_documentation import blocks

pytestmark = pytest.mark.usefixtures("introspection_tokens")


@pytest.fixture
def page(request: pytest.FixtureRequest, settings: Any) -> Iterator[Any]:
    """The module that a block of the page makes; it is also the URL conf."""
    name = f"{request.param.removesuffix('.py')}_of_the_page"
    module: Any = ModuleType(name)
    sys.modules[name] = module
    for block in blocks("docs/integrations.rst"):
        if block.file == request.param:
            exec(block.code, module.__dict__)  # noqa: S102
    settings.ROOT_URLCONF = name
    yield module
    del sys.modules[name]


def assert_protected(url: str) -> None:
    """Assert that a view takes a token with the scope, in a thread and on an event loop, and refuses every other."""
    for get in (Browser().get, async_to_sync(AsyncClient().get)):
        assert get(url, headers=testing.bearer(scope="orders:read", sub="ada")).json() == {"for": "ada"}
        testing.assert_challenge(get(url))
        testing.assert_challenge(get(url, headers={"Authorization": "Bearer unknown"}), "invalid_token")
        refused = get(url, headers=testing.bearer(scope="other"))
        testing.assert_challenge(refused, "insufficient_scope", scope="orders:read")
        testing.assert_unavailable(get(url, headers={"Authorization": f"Bearer {testing.unavailable()}"}))


@pytest.mark.parametrize("page", ["class_based.py"], indirect=True)
@pytest.mark.parametrize("url", ["/orders/", "/orders/stream/", "/orders/page/"], ids=["sync", "async", "dispatch"])
def test_a_class_based_view_is_protected(page: Any, url: str) -> None:
    assert_protected(url)


@pytest.mark.parametrize("page", ["class_based.py"], indirect=True)
def test_a_view_is_protected_in_the_url_conf(page: Any, settings: Any) -> None:
    loaders = [("django.template.loaders.locmem.Loader", {"orders.html": "{{ view.request.token_info.sub }}"})]
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": {**engine["OPTIONS"], "loaders": loaders}}]

    page = Browser().get("/orders/plain/", headers=testing.bearer(scope="orders:read", sub="ada"))
    assert page.content == b"ada"
    testing.assert_challenge(Browser().get("/orders/plain/"))


@pytest.mark.parametrize("page", ["adrf_views.py"], indirect=True)
@pytest.mark.parametrize("url", ["/orders/", "/orders/all/"], ids=["view", "viewset"])
def test_a_view_of_adrf_is_protected(page: Any, url: str) -> None:
    assert_protected(url)


@pytest.mark.parametrize("page", ["adrf_views.py"], indirect=True)
def test_a_view_of_adrf_needs_another_scope_for_another_method(page: Any) -> None:
    post = Browser().post

    assert post("/orders/", headers=testing.bearer(scope="orders:write")).status_code == 201
    refused = post("/orders/", headers=testing.bearer(scope="orders:read"))
    testing.assert_challenge(refused, "insufficient_scope", scope="orders:write")


@pytest.mark.parametrize("page", ["ninja_api.py", "ninja_auth.py"], indirect=True)
@pytest.mark.parametrize("url", ["/api/orders", "/api/orders/3"], ids=["sync", "async"])
def test_an_operation_of_ninja_is_protected_like_a_view(page: Any, url: str) -> None:
    page.urlpatterns = [path("api/", page.api.urls)]
    browser = Browser()

    assert browser.get(url, headers=testing.bearer(scope="orders:read", sub="ada")).json()["for"] == "ada"
    testing.assert_challenge(browser.get(url))
    testing.assert_challenge(
        browser.get(url, headers=testing.bearer(scope="other")), "insufficient_scope", scope="orders:read"
    )
    testing.assert_unavailable(browser.get(url, headers={"Authorization": f"Bearer {testing.unavailable()}"}))


@pytest.mark.parametrize("page", ["ninja_auth.py"], indirect=True)
def test_the_schema_of_ninja_describes_its_authenticators(page: Any) -> None:
    page.urlpatterns = [path("api/", page.api.urls)]
    schema = Browser().get("/api/openapi.json").json()

    for url, name in (("/api/orders", "AccessToken"), ("/api/orders/{number}", "AsyncAccessToken")):
        assert schema["paths"][url]["get"]["security"] == [{name: []}]
        assert schema["components"]["securitySchemes"][name] == {"type": "http", "scheme": "bearer"}


@pytest.mark.parametrize("page", ["graphql_api.py"], indirect=True)
def test_a_resolver_of_strawberry_sees_the_token(page: Any) -> None:
    def ask(**headers: str) -> Any:
        query = {"query": "{ ordersFor }"}
        return Browser().post("/graphql/", query, content_type="application/json", headers=headers)

    assert ask(**testing.bearer(scope="orders:read", sub="ada")).json()["data"] == {"ordersFor": "ada"}
    refused = ask(**testing.bearer(scope="other")).json()
    assert refused["errors"][0]["message"] == "The scope orders:read is required."
    testing.assert_challenge(ask())


@pytest.mark.parametrize("page", ["consumers.py"], indirect=True)
def test_a_consumer_of_channels_asks_when_a_socket_is_opened(page: Any) -> None:
    from channels.testing import WebsocketCommunicator

    async def connect(headers: dict[str, str]) -> Any:
        sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        socket = WebsocketCommunicator(page.OrderConsumer.as_asgi(), "/orders/", headers=sent)
        connected, code = await socket.connect()
        if not connected:
            return code
        await socket.send_json_to({})
        answer = await socket.receive_json_from()
        await socket.disconnect()
        return answer

    assert asyncio.run(connect(testing.bearer(scope="orders:read", sub="ada"))) == {"for": "ada"}
    assert asyncio.run(connect({})) == 4401
    assert asyncio.run(connect({"Authorization": "Bearer unknown"})) == 4401
    assert asyncio.run(connect(testing.bearer(scope="other"))) == 4403
    assert asyncio.run(connect({"Authorization": f"Bearer {testing.unavailable()}"})) == 1013


@pytest.mark.parametrize("page", ["tasks.py"], indirect=True)
def test_a_task_of_celery_gets_a_token_of_its_own(page: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with MisbehavingServer() as server:
        issued: list[str] = []
        server.behave("issues tokens", at="/token", issued=issued)
        stock = {"token_url": f"{server.origin}/token", "client_id": "orders-api", "client_secret": "secret"}
        settings.TOKEN_INTROSPECTION = {"SERVICES": {"stock": stock}}
        sent: list[dict[str, str]] = []

        def post(url: str, *, json: Any, headers: dict[str, str]) -> Any:
            sent.append(headers)
            return SimpleNamespace(raise_for_status=lambda: None)

        monkeypatch.setattr(page, "httpx2", SimpleNamespace(post=post))

        assert page.order_more.apply(args=["tea"], kwargs={"ordered_by": "ada"}).get() == {"ordered_by": "ada"}
        assert [dict(headers) for headers in sent] == [{"Authorization": f"Bearer {issued[0]}"}]
