"""A Django project that is an authorization server, in a process of its own; whoever asks for a code is logged in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

USERNAME = "alice"


def serve(
    urls: Callable[[], list[Any]],
    register: Callable[[], None] = lambda: None,
    *,
    apps: tuple[str, ...] = (),
    middleware: tuple[str, ...] = (),
    **more: Any,
) -> None:
    """Serve on PORT, or a free one, until standard input ends; print the address.

    `urls` and `register` are called once Django is set up; the latter makes the clients.
    """
    settings.configure(
        SECRET_KEY="for tests alone",
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", *apps],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "tests.peers.django_server.everybody_is_alice",
            *middleware,
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE_FILE"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="peer_urls",
        **more,
    )
    django.setup()
    sys.modules["peer_urls"] = module = ModuleType("peer_urls")
    vars(module)["urlpatterns"] = urls()
    call_command("migrate", verbosity=0)
    register()
    server = ThreadedWSGIServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), WSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


def everybody_is_alice(get_response: Any) -> Any:
    """Log the one user in who is asked for at an authorization endpoint."""

    def middleware(request: Any) -> Any:
        if "authorize" in request.path:
            from django.contrib.auth import get_user_model

            request.user = get_user_model().objects.get_or_create(username=USERNAME)[0]
        return get_response(request)

    return middleware


def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    encoding, encryption = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, encryption).decode()
