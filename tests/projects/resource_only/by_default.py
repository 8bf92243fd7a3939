"""The same resource server, protecting every view by default."""

from __future__ import annotations

from .settings import *  # noqa: F403

REST_FRAMEWORK = {
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_AUTHENTICATION_CLASSES": ["django_introspection.authentication.IntrospectionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["django_introspection.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["django_introspection.throttling.ClientRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"client": "1000/min"},
}
