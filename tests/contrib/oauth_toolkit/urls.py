from __future__ import annotations

from django.urls import include, path

from django_introspection.authorization_server.views import IntrospectView
from tests import urls

from .views import Theirs

urlpatterns = [
    path("o/introspect/", IntrospectView.as_view()),
    path("o/", include("oauth2_provider.urls")),
    path("theirs", Theirs.as_view()),
    *urls.urlpatterns,
]
