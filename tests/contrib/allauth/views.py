"""A view that allauth protects; `/whoami` is its twin that we protect."""

from __future__ import annotations

from allauth.idp.oidc.contrib.rest_framework.authentication import TokenAuthentication
from allauth.idp.oidc.contrib.rest_framework.permissions import TokenPermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Theirs(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [TokenPermission.has_scope(["orders:read"])]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk) if request.user else None})
