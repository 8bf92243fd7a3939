"""The web client."""

from __future__ import annotations

from django.urls import path

from ..web_client import views

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in", views.sign_in, name="sign-in"),
    path("signed-in", views.signed_in, name="signed-in"),
    path("orders", views.orders, name="orders"),
    path("sign-out", views.sign_out, name="sign-out"),
]
