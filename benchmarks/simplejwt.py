"""The view protected by djangorestframework-simplejwt, which other scenarios do not import."""

from __future__ import annotations

from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication

from .views import Resource


class SimpleJWT(Resource):
    authentication_classes = [JWTStatelessUserAuthentication]
