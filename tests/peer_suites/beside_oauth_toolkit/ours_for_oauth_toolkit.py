"""A pytest plugin: our classes where the tests of django-oauth-toolkit import theirs, and callers as we accept them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client


def pytest_configure(config: pytest.Config) -> None:
    from oauth2_provider.contrib import rest_framework

    from django_introspection.authentication import IntrospectionAuthentication
    from django_introspection.permissions import HasScope

    for marker in ("oauth2_settings(values): theirs", "nologinrequiredmiddleware: theirs"):
        config.addinivalue_line("markers", marker)
    rest_framework.OAuth2Authentication = IntrospectionAuthentication
    rest_framework.TokenHasScope = HasScope
    post = Client.post

    def post_form(self: Client, path: str, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if "introspect" in path and not args and "content_type" not in kwargs:
            kwargs["content_type"] = "application/x-www-form-urlencoded"
            data = urlencode(data or {})
        return post(self, path, data, *args, **kwargs)

    Client.post = post_form  # type: ignore[method-assign]


@pytest.fixture
def oauth2_settings(request: pytest.FixtureRequest, settings: Any) -> Iterator[Any]:
    """Their settings with the values of the marker, also as an attribute of the test case."""
    from oauth2_provider.settings import oauth2_settings as theirs

    marker = request.node.get_closest_marker("oauth2_settings")
    settings.OAUTH2_PROVIDER = dict(marker.args[0]) if marker else {}
    theirs.reload()
    if request.cls is not None:
        request.cls.oauth2_settings = theirs
    yield theirs
    theirs.reload()


@pytest.fixture(autouse=True)
def caller_is_a_machine(request: pytest.FixtureRequest) -> None:
    """Take the user of the token with which their tests call: we accept no user's token from a caller."""
    if request.cls is not None and hasattr(request.cls, "resource_server_token"):
        request.getfixturevalue("db")
        token = request.cls.resource_server_token
        type(token)._default_manager.filter(pk=token.pk).update(user=None)
