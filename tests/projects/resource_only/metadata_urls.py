from __future__ import annotations

from django.urls import include, path

from .urls import Orders

urlpatterns = [path("orders", Orders.as_view()), path("", include("django_introspection.well_known_urls"))]
