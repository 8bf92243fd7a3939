"""The pages and the API are for sessions: a token that names a user opens them no further than its scope allows."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client as Browser
from django.urls import include, path
from rest_framework.routers import DefaultRouter

from django_introspection.models import Token
from django_introspection.models.fields import uuid7
from django_introspection.personal_tokens.api import PersonalTokenViewSet
from tests import factories
from tests.personal_tokens.conftest import PERSONAL_TOKENS, make

pytestmark = pytest.mark.django_db

router = DefaultRouter()
router.register("tokens", PersonalTokenViewSet, basename="personal-token")
urls = ModuleType("urls")
urls.urlpatterns = [
    path("api/", include(router.urls)),
    path("tokens/", include("django_introspection.personal_tokens.urls")),
    path("apps/", include("django_introspection.self_service.urls")),
    path("accounts/login/", include("django.contrib.auth.urls")),
]
TOKENS = "django_introspection.middleware.ProtectedPaths"
USERS = f"{__name__}.user_of_another_token"


def user_of_another_token(get_response: Any) -> Any:
    """A middleware of another package: it sets the user whom a token of its own names, and no session."""

    def respond(request: Any) -> Any:
        if "Authorization" in request.headers:
            request.user = request._cached_user = factories.User.objects.get(username="ada")
        return get_response(request)

    return respond


@pytest.fixture
def scopeless(settings: Any) -> str:
    """A token of Ada without any scope."""
    settings.ROOT_URLCONF = urls
    protected = {
        "/tokens/": {},
        "/apps/": {},
        "/api/": {"SCHEMES": ["Token"]},  # one that the API does not read
    }
    values = {"PERSONAL_TOKENS": PERSONAL_TOKENS, "PROTECTED_PATHS": protected}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}
    return make(factories.UserFactory(username="ada"), scope=[]).value


@pytest.mark.parametrize("middleware", [TOKENS, USERS])
@pytest.mark.parametrize("address", ["/tokens/", "/tokens/new/", "/apps/"])
def test_a_token_is_no_session_at_the_pages(scopeless: str, settings: Any, middleware: str, address: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, middleware]
    form = {"form_id": uuid7(), "name": "x", "scope": ["orders:read", "tokens:manage"], "days": 30}
    headers = {"Authorization": f"Bearer {scopeless}"}

    for answer in (Browser().get(address, headers=headers), Browser().post("/tokens/new/", form, headers=headers)):
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/accounts/login/")
    assert Token.objects.count() == 1


@pytest.mark.parametrize(("middleware", "scheme"), [(TOKENS, "Token"), (USERS, "Other")])
def test_a_token_is_no_session_at_the_api(scopeless: str, settings: Any, middleware: str, scheme: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, middleware]
    headers = {"Authorization": f"{scheme} {scopeless}"}

    answer = Browser().post("/api/tokens/", {"name": "x"}, content_type="application/json", headers=headers)

    assert answer.status_code == 403
    assert Token.objects.count() == 1


@pytest.mark.parametrize("address", ["/tokens/", "/api/tokens/"])
def test_the_session_of_another_user_is_none(scopeless: str, settings: Any, address: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, USERS]
    browser = Browser()
    browser.force_login(factories.UserFactory())
    headers = {"Authorization": f"Other {scopeless}"}

    assert browser.get(address, headers=headers).status_code in (302, 403)
    assert browser.get(address).status_code == 200
    assert SESSION_KEY in browser.session


@pytest.mark.parametrize("address", ["/tokens/", "/apps/", "/api/tokens/"])
def test_a_request_with_a_token_has_no_rights_of_the_session_beside_it(
    scopeless: str, settings: Any, address: str
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, TOKENS]
    browser = Browser()
    browser.force_login(factories.User.objects.get(username="ada"))
    scheme = "Token" if address.startswith("/api/") else "Bearer"

    answer = browser.get(address, headers={"Authorization": f"{scheme} {scopeless}"})

    assert answer.status_code in (302, 403)
