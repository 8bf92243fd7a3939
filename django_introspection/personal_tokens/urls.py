"""The pages for people: `path("account/tokens/", include("django_introspection.personal_tokens.urls"))`."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "introspection_personal_tokens"

urlpatterns = [
    path("", views.tokens, name="tokens"),
    path("new/", views.new, name="new"),
    path("<uuid:token_id>/rotate/", views.rotate, name="rotate"),
    path("<uuid:token_id>/revoke/", views.revoke, name="revoke"),
]
