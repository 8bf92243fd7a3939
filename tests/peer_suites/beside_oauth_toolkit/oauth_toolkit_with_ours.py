"""Settings and URLs of django-oauth-toolkit's own tests with our endpoint in the place of theirs."""

from __future__ import annotations

from django.urls import include, path

SECRET_KEY = "for tests alone"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
    "rest_framework",
    "django_introspection",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = __name__
TOKEN_INTROSPECTION = {
    "ISSUER": "https://testserver",
    "BACKENDS": {"default": {"BACKEND": "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend"}},
    "INTROSPECTION_BACKEND": "default",
    "CLIENT_SOURCES": ["django_introspection.contrib.oauth_toolkit.OAuthToolkitClients"],
    "CLIENT_POLICY": "any",
    "BEARER_WITHOUT_AUDIENCE": True,
    "REVOCATIONS": {},
}


def __getattr__(name: str) -> object:
    """Return `urlpatterns`, which needs the apps, and this module is read before they are loaded."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django_introspection.authorization_server.views import IntrospectView

    theirs = include("oauth2_provider.urls", namespace="oauth2_provider")
    return [path("o/introspect/", IntrospectView.as_view()), path("o/", theirs)]
