"""Compare our introspection endpoint over django-oauth-toolkit's tables with its own: `make benchmark-bridge`.

Both answer the same question by the same application, in one process, with the secret hashed as Django does by default.
Batches take turns, so that a machine whose speed drifts slows both; the ratio is taken inside each cycle.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import django

CYCLES = int(os.environ.get("CYCLES", "7"))
OURS, THEIRS = 100, 3
"""Requests of a batch."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.bridge_settings")
    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        report(*requests())
    finally:
        teardown_databases(databases, verbosity=0)


def requests() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the request at our endpoint and the one at theirs."""
    from django.core.handlers.base import BaseHandler
    from django.test import RequestFactory

    from tests import endpoints
    from tests.contrib.oauth_toolkit import flows

    api = flows.resource_server()
    token = flows.client_credentials(flows.register())
    headers = {"Authorization": endpoints.basic(api.client.client_id, api.secret)}
    handler, factory = BaseHandler(), RequestFactory()
    handler.load_middleware()

    def ask(path: str) -> None:
        request = factory.post(path, f"token={token}", content_type=endpoints.FORM, headers=headers)
        response = handler.get_response(request)
        if response.status_code != 200 or b"orders:read" not in response.content:
            raise SystemExit(f"{path}: {response.status_code}: {response.content!r}")

    return lambda: ask("/ours/introspect"), lambda: ask("/o/introspect/")


def report(ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
    per_second(ours, 1), per_second(theirs, 1)
    cycles = [(per_second(ours, OURS), per_second(theirs, THEIRS)) for _ in range(CYCLES)]
    ratios = [mine / other for mine, other in cycles]
    print(f"{'introspection by':24} {'a CPU second':>14}")
    print(f"{'django-oauth-toolkit':24} {median(other for _, other in cycles):>11.1f}")
    print(f"{'ours, over its tables':24} {median(mine for mine, _ in cycles):>11.1f}")
    print(f"{'ratio':24} {median(ratios):>11.0f}   ({min(ratios):.0f}-{max(ratios):.0f})")


def per_second(request: Callable[[], Any], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        request()
    return count / (time.process_time() - started)


if __name__ == "__main__":
    sys.exit(main())
