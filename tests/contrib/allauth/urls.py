from __future__ import annotations

from django.urls import include, path

from django_introspection.authorization_server.views import IntrospectView
from tests import urls

from .views import Theirs

urlpatterns = [
    path("identity/o/api/introspect", IntrospectView.as_view()),
    path("theirs/whoami", Theirs.as_view()),
    path("theirs/", include("allauth.idp.urls")),  # their own endpoint, to compare with
    path("", include("allauth.idp.urls")),
    *urls.urlpatterns,
]
