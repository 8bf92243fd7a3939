"""The URL conf of a project that does not take reports."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("oauth/", include("django_introspection.urls"))]
