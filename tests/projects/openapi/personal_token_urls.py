"""The API of personal tokens alone."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from django_introspection.personal_tokens.api import PersonalTokenViewSet

router = DefaultRouter()
router.register("tokens", PersonalTokenViewSet, basename="personal-token")
urlpatterns = [path("api/", include(router.urls))]
