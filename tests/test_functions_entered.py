"""The functions of this package that a request enters: a layer more is paid by every request of a project."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import django_introspection
from django_introspection import revocations
from tests import endpoints, factories
from tests.authorization_server.helpers import introspecting_client
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import ask, protect

PACKAGE = str(Path(django_introspection.__file__).parent)


def entered(request: Callable[[], Any]) -> int:
    """Return how many functions of this package a request enters once every look-up and setting is known."""
    names: list[str] = []

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            names.append(frame.f_code.co_qualname)

    for _ in range(2):
        assert request().status_code == 200
    sys.setprofile(note)
    try:
        request()
    finally:
        sys.setprofile(None)
    return len(names)


@pytest.fixture
def server() -> Any:
    """Another server, which knows every token."""
    with MisbehavingServer() as running:
        publish(running, public())
        yield running


@pytest.mark.django_db
def test_a_view_with_tokens_of_the_database() -> None:
    view, token = protect(), factories.TokenFactory(user=factories.UserFactory()).access_token

    assert entered(lambda: ask(view, token)) <= 81


@pytest.mark.django_db
def test_an_introspection_with_a_secret() -> None:
    caller, token = introspecting_client(), factories.TokenFactory(user=factories.UserFactory()).access_token

    assert entered(lambda: endpoints.introspect(token, auth=caller)) <= 156


@pytest.mark.parametrize(
    ("cache", "most"),
    [
        pytest.param({"LOCAL_MAX_AGE": 60}, 33, id="kept in the process"),
        pytest.param({}, 92, id="kept in the cache with tombstones"),
        pytest.param(None, 125, id="asked about"),
    ],
)
def test_a_view_with_tokens_of_another_server(cache: Any, most: int, server: MisbehavingServer, settings: Any) -> None:
    values = server.settings()
    if cache is not None:
        values["BACKENDS"]["default"]["CACHE"] = cache
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {}}
    revocations.set_markers()
    view = protect()

    assert entered(lambda: ask(view, "token")) <= most


def test_a_view_with_jwts(server: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin)}}
    view, token = protect(), access_token(server.origin)

    assert entered(lambda: ask(view, token)) <= 97
