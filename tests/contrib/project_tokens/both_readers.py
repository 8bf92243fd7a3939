"""A URL conf with a view that reads the scheme `Token` twice."""

from __future__ import annotations

from django.urls import path
from rest_framework.authentication import TokenAuthentication

from tests.contrib.project_tokens import urls, views

urlpatterns = [
    *urls.urlpatterns,
    path("twice", views.After.as_view(authentication_classes=[TokenAuthentication, views.TokenOrBearer])),
]
