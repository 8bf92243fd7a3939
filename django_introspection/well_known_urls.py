"""The well-known documents: `path("", include("django_introspection.well_known_urls"))` at the root of the host."""

from __future__ import annotations

from django.urls import re_path

from .authorization_server.views import MetadataView

app_name = "introspection_well_known"

urlpatterns = [
    re_path(
        r"^\.well-known/oauth-authorization-server(?:/(?P<issuer_path>.*))?\Z",
        MetadataView.as_view(),
        name="authorization-server",
    ),
]
