"""A project with protected paths for a web server to run: `wsgi` and `asgi` are its applications."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from django_introspection.backends import TokenBackend
from django_introspection.protocol.answer import Active, Answer
from django_introspection.protocol.token_info import TokenInfo

PREFIXES = {"/api/": "read", "/api/admin/": "admin", "/internal": "internal"}


class ScopeTokens(TokenBackend):
    """Take every token for one whose scope is its own value."""

    is_remote = False

    def introspect(self, token: str) -> Answer:
        return Active(TokenInfo({"active": True, "token_type": "Bearer", "sub": "1", "scope": token}))


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests alone",
    INSTALLED_APPS=["rest_framework", "django_introspection.resource_server"],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    MIDDLEWARE=["django_introspection.middleware.ProtectedPaths"],
    TOKEN_INTROSPECTION={
        "BACKENDS": {"default": {"BACKEND": f"{__name__}.ScopeTokens"}},
        "PROTECTED_PATHS": {prefix: {"SCOPE": scope} for prefix, scope in PREFIXES.items()},
    },
)

import django  # noqa: E402 - needs the settings
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path, re_path  # noqa: E402

django.setup()


def view(request: Any, **kwargs: Any) -> JsonResponse:
    """Show that a view ran, and which."""
    return JsonResponse({"ran": request.resolver_match.route})


urlpatterns = [
    re_path(r"^api/graphql", view),
    re_path(r"^api/admin/wipe", view),
    path("api/<str:kind>/<str:pk>", view),
    path("internal/<path:rest>", view),
    re_path(r"^(?P<rest>open/.*)\Z", view),
]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
