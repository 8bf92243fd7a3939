"""The authorization server of the browser story."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from oauth2_provider.urls import base_urlpatterns
from oauth2_provider.views import OAuthServerMetadataView

from django_introspection.authorization_server.views import IntrospectView

oauth_toolkit = [
    path("oauth/", include(base_urlpatterns)),
    path(".well-known/oauth-authorization-server", OAuthServerMetadataView.as_view(), name="oauth-server-metadata"),
]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("oauth/introspect", IntrospectView.as_view()),
    path("", include((oauth_toolkit, "oauth2_provider"))),
]
