"""Our endpoints, one of somebody's own, and protected views."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import include, path
from rest_framework.request import Request

from django_introspection.authorization_server.views import IntrospectView
from django_introspection.authorization_server.views.base import ProtocolView
from tests.projects.openapi import protected


class Undescribed(ProtocolView):
    def post(self, request: Request) -> HttpResponse:
        return HttpResponse()


class Changed(IntrospectView):
    pass


urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("oauth/", include("django_introspection.leaks.urls")),
    path("", include("django_introspection.well_known_urls")),
    path("undescribed", Undescribed.as_view()),
    path("changed", Changed.as_view()),
    *protected.urlpatterns,
]
