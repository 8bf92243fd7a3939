from __future__ import annotations

from django.urls import path

from django_introspection.authentication import IntrospectionAuthentication
from tests.resource_server.protected import protect


class DPoP(IntrospectionAuthentication):
    schemes = ("DPoP",)


urlpatterns = [path("orders", protect(authentication_classes=[DPoP]).as_view())]
