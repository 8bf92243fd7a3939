"""Compare each scenario with its floor, in process: `make benchmark`.

Batches take turns, so that a machine whose speed drifts slows both; the ratio is taken inside each cycle.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import django

BATCH = 40
CYCLES = int(os.environ.get("CYCLES", "24"))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        with remote_server():
            report(scenarios())
    finally:
        teardown_databases(databases, verbosity=0)


def scenarios() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return for each scenario the request to measure and its floor."""
    from django.core.handlers.base import BaseHandler
    from django.test import RequestFactory

    from tests import endpoints, factories

    machine, api = factories.RegistrationFactory(), factories.ResourceServerFactory()
    token = factories.TokenFactory(client=machine.client, user=factories.UserFactory()).access_token
    handler, requests = BaseHandler(), RequestFactory()
    handler.load_middleware()

    def introspect(path: str) -> Any:
        headers = {"Authorization": endpoints.basic(api.client.client_id, api.secret)}
        request = requests.post(path, f"token={token}", content_type=endpoints.FORM, headers=headers)
        return checked(handler.get_response(request))

    def get(path: str) -> Any:
        return checked(handler.get_response(requests.get(path, headers={"Authorization": f"Bearer {token}"})))

    keep_for_the_floor(token)
    return {
        "remote, memory": (lambda: get("/remote/memory"), lambda: get("/floor/memory")),
        "remote, cache": (lambda: get("/remote/cache"), lambda: get("/floor/cache")),
        "introspect": (lambda: introspect("/oauth/introspect"), lambda: introspect("/floor/introspect")),
        "local view": (lambda: get("/whoami"), lambda: get("/floor/whoami")),
    }


@contextmanager
def remote_server() -> Iterator[None]:
    """Let two more aliases ask a server on loopback, which they do once: then they remember."""
    from django.conf import settings
    from django.test import override_settings

    from tests.misbehaving.server import MisbehavingServer

    with MisbehavingServer("active", **members()) as server:
        remote = server.settings()["BACKENDS"]["default"]
        kept = {"memory": {**remote, "CACHE": {"LOCAL_MAX_AGE": 60}}, "cache": {**remote, "CACHE": {}}}
        values = settings.TOKEN_INTROSPECTION
        with override_settings(TOKEN_INTROSPECTION={**values, "BACKENDS": {**values["BACKENDS"], **kept}}):
            yield


def members() -> dict[str, Any]:
    return {"exp": int(time.time()) + 3600, "sub": "alice", "iss": "https://id.example.com", "aud": "orders"}


def keep_for_the_floor(token: str) -> None:
    from django.core.cache import cache

    from benchmarks.urls import DictAuthentication

    DictAuthentication.members = {"active": True, **members()}
    name = hashlib.sha256(token.encode()).hexdigest()
    cache.set(f"floor:{name}", json.dumps(DictAuthentication.members))


def checked(response: Any) -> Any:
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.content!r}")
    return response


def report(pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]]) -> None:
    print(f"{'scenario':14}  {'ours / floor (CPU)':>20}  {'range':>13}  {'ours, us':>9}")
    for name, (ours, floor) in pairs.items():
        batch(ours), batch(floor)
        cycles = [(batch(ours), batch(floor)) for _ in range(CYCLES)]
        ratios = [mine / least for mine, least in cycles]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{name:14}  {median(ratios):>20.2f}  {spread:>13}  {median(mine for mine, _ in cycles) * 1e6:>9.0f}")


def batch(request: Callable[[], Any]) -> float:
    """Return the CPU seconds of one request, over a batch."""
    started = time.process_time()
    for _ in range(BATCH):
        request()
    return (time.process_time() - started) / BATCH


if __name__ == "__main__":
    sys.exit(main())
