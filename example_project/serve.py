"""Serve one role on a free loopback port: `python -m example_project.serve authorization_server`.

The address is printed once the server listens. The process ends when its standard input does, so that it never
outlives the one that started it.
"""

from __future__ import annotations

import os
import sys
import threading

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

AUTHORIZATION_SERVERS = ("authorization_server", "oauth_toolkit_server")


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Print nothing: the story is printed by the one who asks."""


def main(role: str) -> None:
    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietHandler)  # the port is known before the settings are read
    server.daemon_threads = True
    address = f"http://127.0.0.1:{server.server_port}"
    if role in AUTHORIZATION_SERVERS:
        os.environ["AUTHORIZATION_SERVER"] = address
    os.environ["DJANGO_SETTINGS_MODULE"] = f"example_project.settings.{role}"
    django.setup()
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    if settings.is_overridden("DATABASES"):
        call_command("migrate", verbosity=0)
    server.set_app(_application())
    threading.Thread(target=_stop_with_stdin, args=[server], daemon=True).start()
    print(address, flush=True)
    server.serve_forever()
    server.server_close()


def _application() -> object:
    application = get_wsgi_application()
    if apps.is_installed("django.contrib.staticfiles"):
        from django.contrib.staticfiles.handlers import StaticFilesHandler  # needs its app, which an API has not

        return StaticFilesHandler(application)
    return application


def _stop_with_stdin(server: ThreadedWSGIServer) -> None:
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
