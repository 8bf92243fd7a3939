"""The view protected by django-oauth-toolkit, which other scenarios do not import."""

from __future__ import annotations

from oauth2_provider.contrib.rest_framework import OAuth2Authentication

from .views import Resource


class Toolkit(Resource):
    authentication_classes = [OAuth2Authentication]
