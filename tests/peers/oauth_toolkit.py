"""django-oauth-toolkit as an authorization server in a process of its own."""

from __future__ import annotations

import os
import sys
import threading

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


def main() -> None:
    settings.configure(
        SECRET_KEY="for tests alone",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="oauth2_provider.urls",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE_FILE"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={"SCOPES": {"orders:read": "Read orders", "introspection": "Introspect"}},
    )
    django.setup()
    call_command("migrate", verbosity=0)
    _register("CLIENT", "client-credentials")
    _register("CALLER", "client-credentials")
    server = ThreadedWSGIServer(("127.0.0.1", int(os.environ.get("PORT", "0"))), WSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


def _register(prefix: str, grant_type: str) -> None:
    from oauth2_provider.models import Application

    client_id = os.environ[f"{prefix}_ID"]
    if Application.objects.filter(client_id=client_id).exists():  # it has been up before
        return
    Application.objects.create(
        client_id=client_id,
        client_secret=os.environ[f"{prefix}_SECRET"],
        client_type="confidential",
        authorization_grant_type=grant_type,
    )


if __name__ == "__main__":
    main()
