"""The pages for people: `path("account/apps/", include("django_introspection.self_service.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "introspection_self_service"

urlpatterns = [
    path("", views.grants, name="grants"),
    path("revoke/", views.revoke_all, name="revoke-all"),
    path("apps/<int:client>/revoke/", views.revoke_app, name="revoke-app"),
    path("grants/<uuid:grant_id>/revoke/", views.revoke_grant, name="revoke-grant"),
]
