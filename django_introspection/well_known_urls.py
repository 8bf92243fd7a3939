"""The well-known documents: `path("", include("django_introspection.well_known_urls"))` at the root of the host.

The one of protected resources is there in every installation, that of the authorization server in the full app.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.urls import re_path

from .resource_server.views import protected_resource

app_name = "introspection_well_known"

urlpatterns: list[Any] = [
    re_path(
        r"^\.well-known/oauth-protected-resource(?:/(?P<resource_path>.*))?\Z",
        protected_resource,
        name="protected-resource",
    ),
]

if apps.is_installed("django_introspection"):
    from .authorization_server.views import MetadataView

    urlpatterns += [
        re_path(
            r"^\.well-known/oauth-authorization-server(?:/(?P<issuer_path>.*))?\Z",
            MetadataView.as_view(),
            name="authorization-server",
        ),
    ]
