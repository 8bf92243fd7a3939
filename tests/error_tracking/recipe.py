"""Set Sentry up as the page on observability says, and print what it would have sent; run by test_error_tracking.py."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import django
import sentry_sdk
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.test.utils import setup_test_environment
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.misbehaving.server import MisbehavingServer

from .events import KeepingTransport, kept

TOKEN = "-".join(["value", "of", "a", "token"])


@csrf_exempt
def failing(request: HttpRequest) -> HttpResponse:
    token = request.headers.get("Authorization", request.body.decode())
    raise RuntimeError(f"an error with {len(token)} characters")


def main() -> None:
    settings.ROOT_URLCONF = __name__
    django.setup()
    setup_test_environment()
    from django_introspection import introspect
    from django_introspection.exceptions import IntrospectionUnavailable
    from tests.test_documentation import blocks

    (recipe,) = (block for block in blocks("docs/observability.rst") if "sentry_sdk" in block.code)
    sentry_sdk.init = partial(sentry_sdk.init, transport=KeepingTransport)  # type: ignore[assignment]
    exec(recipe.code, {"SENTRY_DSN": "http://key@127.0.0.1/1"})  # noqa: S102
    application, requests = WSGIHandler(), RequestFactory()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    sent: dict[str, Any] = {}

    def note(name: str) -> None:
        sentry_sdk.flush()
        sent[name] = [envelope for envelope in kept if '"type":"event"' in envelope]  # and no count of sessions
        kept.clear()

    for name, request in {
        "header": requests.get("/failing", headers=headers),
        "body": requests.post("/failing", {"token": TOKEN}),
    }.items():
        application(request.environ, lambda *_: None).close()
        note(name)
    with MisbehavingServer("inactive") as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        introspect(TOKEN)
        note("refusal")
        for behaviour in ("status 500", "status 401"):
            server.behave(behaviour)
            try:
                introspect(TOKEN)
            except IntrospectionUnavailable:
                note(behaviour)
    print(json.dumps({"token": TOKEN, "sent": sent}))
    sys.stdout.flush()


urlpatterns = [path("failing", failing)]

if __name__ == "__main__":
    main()
