"""Addresses of a project with an admin site of its own beside Django's."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from django_introspection.admin import ClientAdmin, TokenAdmin
from django_introspection.models import Client, Token

operations = admin.AdminSite(name="operations")
operations.register(Client, ClientAdmin)
operations.register(Token, TokenAdmin)

urlpatterns = [
    path("oauth/", include("django_introspection.urls")),
    path("admin/", admin.site.urls),
    path("operations/", operations.urls),
]
