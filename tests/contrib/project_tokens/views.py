"""The same view before and after: with the class of each package, and with ours."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication as KnoxAuthentication
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_api_key.permissions import HasAPIKey

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.permissions import HasScope


class Before(APIView):
    """Answer with the name of the user."""

    permission_classes: Any = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})


class BeforeAuthtoken(Before):
    authentication_classes = [TokenAuthentication]


class BeforeKnox(Before):
    authentication_classes = [KnoxAuthentication]


class BeforeAPIKeys(Before):
    authentication_classes: Any = []
    permission_classes = [HasAPIKey]

    def get(self, request: Request) -> Response:
        return Response({"user": ""})


class TokenOrBearer(IntrospectionAuthentication):
    schemes = ("Token", "Bearer")


class APIKeyOrBearer(IntrospectionAuthentication):
    schemes = ("Api-Key", "Bearer")


class After(APIView):
    """Answer with the user as our authentication finds it."""

    permission_classes = [HasScope]
    required_scopes = ["orders:read"]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username(), "sub": request.auth.sub})
