"""The authorization server of the browser story: people log in and consent with django-oauth-toolkit, we introspect."""

from __future__ import annotations

from .authorization_server import *  # noqa: F403
from .authorization_server import INSTALLED_APPS, ISSUER, MIDDLEWARE, TEMPLATES
from .base import DIRECTORY, ROOT

ROOT_URLCONF = "example_project.urls.oauth_toolkit_server"
INSTALLED_APPS = [*INSTALLED_APPS, "oauth2_provider"]
MIDDLEWARE = ["example_project.content_security_policy.content_security_policy", *MIDDLEWARE]
TEMPLATES = [{**TEMPLATES[0], "DIRS": [ROOT / "example_project/templates"]}]
STATICFILES_DIRS = [ROOT / "example_project/static"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "oauth_toolkit_server.sqlite3"}}
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "admin:index"

# No `form-action`: browsers apply it to redirects as well, and a consent leads to the client, wherever that is.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'"

OAUTH2_PROVIDER = {
    "SCOPES": {"orders:read": "See the orders", "orders:write": "Add, change and delete orders"},
    "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
    "OIDC_ISS_ENDPOINT": ISSUER,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
TOKEN_INTROSPECTION = {
    "ISSUER": ISSUER,
    "BACKENDS": {"default": {"BACKEND": "django_introspection.contrib.oauth_toolkit.OAuthToolkitBackend"}},
    "INTROSPECTION_BACKEND": "default",
    "CLIENT_SOURCES": ["django_introspection.contrib.oauth_toolkit.OAuthToolkitClients"],
}
