"""A protected view to ask, at `/whoami`."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import requires_scope


class Whoami(APIView):
    authentication_classes = [IntrospectionAuthentication]
    permission_classes = [requires_scope("orders:read")]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk), "sub": request.auth.sub})
