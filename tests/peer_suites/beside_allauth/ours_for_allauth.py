"""A pytest plugin: our classes where the views of allauth's tests import theirs, and bodies in the standard's form."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client


def pytest_configure(config: pytest.Config) -> None:
    from allauth.idp.oidc.contrib.rest_framework import authentication, permissions

    from django_introspection import permissions as ours
    from django_introspection.authentication import IntrospectionAuthentication

    class HasScope:
        @classmethod
        def has_scope(cls, scopes: list[str]) -> Any:
            return ours.requires_scope(*scopes)

    authentication.TokenAuthentication = IntrospectionAuthentication
    permissions.TokenPermission = HasScope
    post = Client.post

    def post_form(self: Client, path: str, data: Any = None, *args: Any, **kwargs: Any) -> Any:
        if "introspect" in path and isinstance(data, dict | type(None)) and not args and "content_type" not in kwargs:
            kwargs["content_type"] = "application/x-www-form-urlencoded"
            data = urlencode(data or {})
        return post(self, path, data, *args, **kwargs)

    Client.post = post_form  # type: ignore[method-assign]
