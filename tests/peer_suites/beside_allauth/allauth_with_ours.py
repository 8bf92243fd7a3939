"""Settings and URLs of allauth's own tests with our endpoint and our classes in the places of theirs."""

from __future__ import annotations

from django.urls import include, path
from tests.projects.regular.settings import *  # noqa: F403 - theirs: this file is run in their source
from tests.projects.regular.settings import INSTALLED_APPS as THEIRS

# They need libraries of their own, and are no part of these tests.
LEFT_OUT = ("allauth.socialaccount.providers.", "allauth.mfa")
INSTALLED_APPS = [
    *(app for app in THEIRS if not app.startswith(LEFT_OUT)),
    "rest_framework",
    "django_introspection",
]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
ROOT_URLCONF = __name__
TOKEN_INTROSPECTION = {
    "ISSUER": "https://testserver",
    "BACKENDS": {"default": {"BACKEND": "django_introspection.contrib.allauth.AllauthBackend"}},
    "INTROSPECTION_BACKEND": "default",
    "CLIENT_SOURCES": ["django_introspection.contrib.allauth.AllauthClients"],
    "REVOCATIONS": {},
}


def __getattr__(name: str) -> object:
    """Return `urlpatterns`, which needs the apps, and this module is read before they are loaded."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django_introspection.authorization_server.views import IntrospectView

    return [
        path("identity/o/api/introspect", IntrospectView.as_view()),
        path("accounts/", include("allauth.urls")),
        path("", include("allauth.idp.urls")),
        path("idp/drf/", include("tests.projects.common.idp.rest_framework.urls")),
    ]
