"""A resource server that has asked about a token before its processes are forked; `wsgi` and `asgi` are the site.

INTROSPECTION_URL is asked. With DATABASE_URL, answers are kept in a cache in that database; with REVOCATIONS_URL in the
memory of each process, which follows the feed there.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings

from tests import services

HAS_DATABASE = "DATABASE_URL" in os.environ
FEED = os.environ.get("REVOCATIONS_URL")
BACKEND: dict[str, Any] = {
    "BACKEND": "django_introspection.backends.RemoteBackend",
    "OPTIONS": {
        "introspection_url": os.environ["INTROSPECTION_URL"],
        "client_id": "orders-api",
        "client_secret": "the secret of the orders API",
    },
    **({"CACHE": {"MAX_AGE": 300}} if HAS_DATABASE else {}),
}
if FEED:
    BACKEND |= {"CACHE": {"LOCAL_MAX_AGE": 60}, "REVOCATIONS": {"FEED": True, "URL": FEED, "MAX_DELAY": 2}}
CACHE = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "kept_answers"}
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests alone",
    INSTALLED_APPS=["rest_framework", "django_introspection.resource_server"],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    TOKEN_INTROSPECTION={"BACKENDS": {"default": BACKEND}},
    **({"DATABASES": {"default": services.database()}, "CACHES": {"default": CACHE}} if HAS_DATABASE else {}),
)

import django  # noqa: E402 - needs the settings
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from django_introspection import introspect  # noqa: E402
from django_introspection.decorators import token_required  # noqa: E402

django.setup()


@token_required()
def plain(request: Any) -> HttpResponse:
    """Name the process that answers."""
    return HttpResponse(os.getpid())


@token_required()
async def coroutine(request: Any) -> HttpResponse:
    """Name the process that answers."""
    return HttpResponse(os.getpid())


urlpatterns = [path("plain", plain), path("async", coroutine)]
if HAS_DATABASE:
    call_command("createcachetable", verbosity=0)
    connections.close_all()
else:
    assert introspect("asked before the fork")
wsgi = get_wsgi_application()
asgi = get_asgi_application()
