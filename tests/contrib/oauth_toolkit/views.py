"""A view that django-oauth-toolkit protects; `/whoami` is its twin that we protect."""

from __future__ import annotations

from oauth2_provider.contrib.rest_framework import OAuth2Authentication, TokenHasScope
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Theirs(APIView):
    authentication_classes = [OAuth2Authentication]
    permission_classes = [TokenHasScope]
    required_scopes = ["orders:read"]

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk) if request.user else None})
