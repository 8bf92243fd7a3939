"""Compare each scenario with its floor, in process: `make benchmark`.

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

BATCH = 40
CYCLES = int(os.environ.get("CYCLES", "24"))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
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

    def whoami(path: str) -> Any:
        return checked(handler.get_response(requests.get(path, headers={"Authorization": f"Bearer {token}"})))

    return {
        "introspect": (lambda: introspect("/oauth/introspect"), lambda: introspect("/floor/introspect")),
        "local view": (lambda: whoami("/whoami"), lambda: whoami("/floor/whoami")),
    }


def checked(response: Any) -> Any:
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.content!r}")
    return response


def report(pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]]) -> None:
    print(f"{'scenario':12}  {'ours / floor (CPU)':>20}  {'range':>13}  {'ours, us':>9}")
    for name, (ours, floor) in pairs.items():
        batch(ours), batch(floor)
        cycles = [(batch(ours), batch(floor)) for _ in range(CYCLES)]
        ratios = [mine / least for mine, least in cycles]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{name:12}  {median(ratios):>20.2f}  {spread:>13}  {median(mine for mine, _ in cycles) * 1e6:>9.0f}")


def batch(request: Callable[[], Any]) -> float:
    """Return the CPU seconds of one request, over a batch."""
    started = time.process_time()
    for _ in range(BATCH):
        request()
    return (time.process_time() - started) / BATCH


if __name__ == "__main__":
    sys.exit(main())
