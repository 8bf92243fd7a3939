"""The view protected by this package, which the scenarios of others do not import."""

from __future__ import annotations

from django_introspection.authentication import IntrospectionAuthentication

from .views import Resource


class Protected(Resource):
    authentication_classes = [IntrospectionAuthentication]
