"""A resource server that keeps answers in its process alone, and follows the feed; `wsgi` is the site."""

from __future__ import annotations

import os

from django.conf import settings

AUTHORIZATION_SERVER, FEED = os.environ["AUTHORIZATION_SERVER"], os.environ["FEED"]
MAX_DELAY = 5
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests alone",
    INSTALLED_APPS=["rest_framework", "django_introspection.resource_server"],
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    TOKEN_INTROSPECTION={
        "BACKENDS": {
            "default": {
                "BACKEND": "django_introspection.backends.RemoteBackend",
                "OPTIONS": {
                    "introspection_url": f"{AUTHORIZATION_SERVER}/oauth/introspect",
                    "client_id": os.environ["CLIENT_ID"],
                    "client_secret": os.environ["CLIENT_SECRET"],
                    "audience": "https://api.example.com/orders",
                },
                "CACHE": {"MAX_AGE": 3600, "LOCAL_MAX_AGE": 3600},
                "REVOCATIONS": {"FEED": True, "URL": f"{FEED}/oauth/revocations", "MAX_DELAY": MAX_DELAY},
            }
        }
    },
)

import django  # noqa: E402 - needs the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from django_introspection import token_backends  # noqa: E402
from django_introspection.decorators import token_required  # noqa: E402
from django_introspection.signals import token_answered  # noqa: E402

django.setup()
SOURCES: dict[str, int] = {}


def count(source: str, **_: object) -> None:
    SOURCES[source] = SOURCES.get(source, 0) + 1


token_answered.connect(count)


@token_required()
def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


def state(request: HttpRequest) -> HttpResponse:
    """Say whether the feed is fresh, and how many answers were kept in the process."""
    feed = token_backends["default"].feed
    return HttpResponse(f"{int(feed is not None and feed.is_fresh)} {SOURCES.get('local', 0)}")


urlpatterns = [path("view", view), path("state", state)]
wsgi = get_wsgi_application()
