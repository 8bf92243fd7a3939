from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from tests.views import Whoami

urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("admin/", admin.site.urls),
    path("account/apps/", include("django_introspection.self_service.urls")),
    path("whoami", Whoami.as_view()),
]
