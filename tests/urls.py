from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from tests.views import Whoami

urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("oauth/", include("django_introspection.leaks.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("admin/", admin.site.urls),
    path("events/", include("django_introspection.security_events.urls")),
    path("account/apps/", include("django_introspection.self_service.urls")),
    path("account/tokens/", include("django_introspection.personal_tokens.urls")),
    path("whoami", Whoami.as_view()),
]
