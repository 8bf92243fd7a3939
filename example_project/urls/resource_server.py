"""The orders API."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from ..orders.views import RemoteOrderViewSet, token

orders = SimpleRouter()
orders.register("orders", RemoteOrderViewSet)

urlpatterns = [path("api/", include(orders.urls)), path("api/token", token)]
