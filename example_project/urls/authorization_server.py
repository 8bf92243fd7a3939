"""The authorization server."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import SimpleRouter

from ..orders.views import LocalOrderViewSet

orders = SimpleRouter()
orders.register("orders", LocalOrderViewSet)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("oauth/", include("django_introspection.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("api/", include(orders.urls)),
]
