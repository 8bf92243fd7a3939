"""Both endpoints: theirs where it always is, ours beside it."""

from __future__ import annotations

from django.urls import include, path

from django_introspection.authorization_server.views import IntrospectView

urlpatterns = [
    path("ours/introspect", IntrospectView.as_view()),
    path("o/", include("oauth2_provider.urls")),
]
