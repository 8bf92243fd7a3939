from __future__ import annotations

from django.urls import path

from .protected import protect

urlpatterns = [path("orders", protect().as_view())]
