"""The endpoints for leaks: `path("oauth/", include("django_introspection.leaks.urls"))`."""

from __future__ import annotations

from django.urls import re_path

from .views import AlertsView, LeakedView

app_name = "introspection_leaks"

urlpatterns = [
    re_path(r"^leaked/?\Z", LeakedView.as_view(), name="leaked"),
    re_path(r"^leaked/alerts/?\Z", AlertsView.as_view(), name="alerts"),
]
