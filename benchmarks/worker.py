"""One scenario in a process of its own: its WSGI application is called, without a server or sockets.

The first line written says what one request costs in statements, round trips and calls. Then each line read is a number
of requests, answered by the CPU seconds and the wall seconds of one of them.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .inputs import inputs
from .scenarios import Scenario, scenario


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    request = prepared_request()
    with counting() as counted:
        request()
    print(json.dumps(counted), flush=True)
    for line in sys.stdin:
        number = int(line)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(number):
            request()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(json.dumps([cpu / number, wall / number]), flush=True)


def prepared_request() -> Callable[[], None]:
    """Return a function that makes one request of the scenario of this process, after its warm-up."""
    own = scenario()
    assert own is not None
    request = caller(own)
    if "REVOCATIONS" in _settings():
        from django_introspection import revocations

        revocations.set_markers()
    for _ in range(own.warm_up):
        request()
    return request


def _settings() -> dict[str, Any]:
    from django.conf import settings

    return getattr(settings, "TOKEN_INTROSPECTION", {})


def caller(own: Scenario) -> Callable[[], None]:
    """Return a function that makes one request, each with another token."""
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    known = inputs()
    tokens = [known["jwts"][own.tokens]] if own.tokens in known["jwts"] else known[own.tokens][: own.limit]
    numbers = itertools.count(1)
    seen: list[str] = []

    def request() -> None:
        token = tokens[next(numbers) * 7919 % len(tokens)]  # no neighbours
        body = application(
            environ(own, token, known["secret"]), lambda status, headers, exc_info=None: seen.append(status)
        )
        content = b"".join(body)
        body.close()
        if seen.pop() != "200 OK" or b'"active":false' in content:
            raise SystemExit(f"{own.view}: {content!r}")

    return request


def environ(own: Scenario, token: str, secret: str) -> dict[str, Any]:
    values = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/measured",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "api.example.com",
        "HTTP_ACCEPT": "application/json",
        "HTTP_AUTHORIZATION": f"{own.scheme} {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if own.token == "form":
        form = f"token={token}".encode()
        credentials = base64.b64encode(f"{own.client}:{secret}".encode()).decode()
        values |= {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(form)),
            "wsgi.input": io.BytesIO(form),
            "HTTP_AUTHORIZATION": f"Basic {credentials}",
        }
    return values


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Count SQL statements and packets that are sent to Redis."""
    from unittest.mock import patch

    from django.db import connection
    from redis.connection import AbstractConnection

    counted = {"statements": 0, "trips": 0}

    send = AbstractConnection.send_packed_command

    def statement(execute: Any, *arguments: Any) -> Any:
        counted["statements"] += 1
        return execute(*arguments)

    def trip(*arguments: Any, **options: Any) -> None:
        counted["trips"] += 1
        send(*arguments, **options)

    with connection.execute_wrapper(statement), patch.object(AbstractConnection, "send_packed_command", trip):
        yield counted


if __name__ == "__main__":
    main()
