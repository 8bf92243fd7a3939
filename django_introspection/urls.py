"""The endpoints: `path("oauth/", include("django_introspection.urls"))`, each with or without a final slash."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.urls import re_path

from .authorization_server.views import IntrospectView, JWKSView, RevokeView, TokenView

app_name = "introspection"

urlpatterns: list[Any] = [
    re_path(r"^introspect/?\Z", IntrospectView.as_view(), name="introspect"),
    re_path(r"^token/?\Z", TokenView.as_view(), name="token"),
    re_path(r"^revoke/?\Z", RevokeView.as_view(), name="revoke"),
    re_path(r"^jwks/?\Z", JWKSView.as_view(), name="jwks"),
]

if apps.is_installed("django_introspection.revocation_feed"):
    from .revocation_feed.views import revocations

    urlpatterns += [re_path(r"^revocations/?\Z", revocations, name="revocations")]
