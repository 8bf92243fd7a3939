"""The pages twice, below namespaces of the project."""

from __future__ import annotations

from django.urls import include, path

pages = [path("", include("django_introspection.self_service.urls"))]

urlpatterns = [
    path("one/", include((pages, "account"), namespace="one")),
    path("two/", include((pages, "account"), namespace="two")),
]
