from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import requires_scope


class Orders(APIView):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [requires_scope("orders:read")]

    def get(self, request: Request) -> Response:
        user = request.user
        return Response({"user": type(user).__name__, "name": str(user), "sub": request.auth.sub})


urlpatterns = [path("orders", Orders.as_view())]
