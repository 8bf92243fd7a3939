"""The endpoints: `path("events/", include("django_introspection.security_events.urls"))`."""

from __future__ import annotations

from django.urls import path, re_path

from . import sending_views, views

app_name = "introspection_events"

urlpatterns = [
    re_path(r"^\Z", views.push, name="push"),
    re_path(r"^logout/?\Z", views.logout, name="logout"),
    path("poll/<uuid:identifier>", sending_views.poll, name="poll"),
]
