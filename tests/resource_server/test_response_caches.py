"""Caches of whole responses: none may give the answer to one token to the sender of another token, or of none."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient
from django.test import Client as Browser
from django.urls import path
from rest_framework.renderers import JSONRenderer

from django_introspection.decorators import token_required
from django_introspection.forward_auth import verify
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, protect

CACHING = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django_introspection.middleware.ProtectedPaths",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


def plain(request: Any) -> HttpResponse:
    return HttpResponse("secret", headers={"Vary": "Accept-Language"})


async def aplain(request: Any) -> HttpResponse:
    return HttpResponse("secret")


urls = ModuleType("urls")
urls.urlpatterns = [
    path("drf/", protect().as_view()),
    path("drf-json/", protect(renderer_classes=[JSONRenderer]).as_view()),
    path("decorated/", token_required()(plain)),
    path("async/", token_required()(aplain)),
    path("below/", plain),
    path("verify/", verify()),
    path("open/", plain),
]
PROTECTED = ["drf/", "drf-json/", "decorated/", "async/", "below/", "verify/"]
HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/"}


@pytest.fixture(autouse=True)
def project(authorization_server: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**authorization_server.settings(), "PROTECTED_PATHS": {"/below/": {}}}
    settings.ROOT_URLCONF, settings.MIDDLEWARE = urls, CACHING
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "responses"}}
    authorization_server.behave("active", sub="42")


@pytest.mark.parametrize("place", PROTECTED)
def test_an_answer_to_a_token_varies_with_the_token_before_any_cache_sees_it(place: str, settings: Any) -> None:
    """Older versions of Django add nothing themselves."""
    settings.MIDDLEWARE = [CACHING[1]]

    response = Browser().get(f"/{place}", headers=HEADERS)

    assert response.status_code == 200
    assert "Authorization" in [name.strip() for name in response["Vary"].split(",")]


@pytest.mark.parametrize("place", ["async/", "below/"])
def test_an_answer_under_asgi_varies_with_the_token(place: str, settings: Any) -> None:
    settings.MIDDLEWARE = [CACHING[1]]

    response = async_to_sync(AsyncClient().get)(f"/{place}", headers=HEADERS)

    assert "Authorization" in response["Vary"]


def test_other_names_stay_and_an_open_view_varies_with_nothing_more(settings: Any) -> None:
    settings.MIDDLEWARE = [CACHING[1]]

    assert Browser().get("/decorated/", headers=HEADERS)["Vary"] == "Accept-Language, Authorization"
    assert Browser().get("/drf/", headers=HEADERS)["Vary"] == "Accept, Authorization"
    assert Browser().get("/open/", headers=HEADERS)["Vary"] == "Accept-Language"


@pytest.mark.parametrize("place", PROTECTED)
def test_the_cache_of_a_site_gives_no_stranger_the_answer_to_a_token(place: str) -> None:
    without = {name: value for name, value in HEADERS.items() if name != "Authorization"}
    assert Browser().get(f"/{place}", headers=HEADERS).status_code == 200

    assert Browser().get(f"/{place}", headers={**HEADERS, "Authorization": ""}).status_code == 401
    assert Browser().get(f"/{place}", headers=without).status_code == 401


@pytest.mark.parametrize("place", ["decorated/", "async/"])
def test_a_decorated_view_varies_with_the_token_without_a_middleware(place: str, settings: Any) -> None:
    settings.MIDDLEWARE = []

    assert "Authorization" in async_to_sync(AsyncClient().get)(f"/{place}", headers=HEADERS)["Vary"]
