"""Does the cost stay flat as everything grows? `make growth`, on PostgreSQL; ROWS says how many tokens there are to be.

Requests with many rows and with few take turns. Then expired rows are purged while requests go on. At last one process
asks about very many different tokens, and its memory is looked at.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import django

FEW = 10_000
ROWS = int(os.environ.get("ROWS", "10_000_000"))
PURGED = int(os.environ.get("PURGED", "1_000_000"))
DISTINCT = int(os.environ.get("DISTINCT", "1_000_000"))
CYCLES, BATCH = 12, 200
LIMIT = 0.1
"""Seconds that a batch of a purge may hold its locks."""


class Router:
    """Every statement goes to the database of the moment."""

    current = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return Router.current

    db_for_write = db_for_read

    def allow_relation(self, *_: Any, **hints: Any) -> bool:
        return True


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.growth_settings"
    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    databases = setup_databases(verbosity=0, interactive=False, aliases=["default", "few"])
    try:
        compare_sizes()
        purge_beside_requests(connection.settings_dict["NAME"])
        memory_of_distinct_tokens()
    finally:
        teardown_databases(databases, verbosity=0)


def compare_sizes() -> None:
    """Fill both databases, and compare the speed of the same requests."""
    sizes = {"few": FEW, "default": ROWS}
    requests = {alias: requests_of(alias, rows) for alias, rows in sizes.items()}
    print(f"{f'speed with {ROWS:,} tokens / with {FEW:,}':58} {'median':>8} {'range':>13}  goal 0.9")
    for name in requests["few"]:
        ratios = []
        for cycle in range(CYCLES + 1):
            took = {}
            for alias in sizes:
                Router.current = alias
                took[alias] = seconds(requests[alias][name])
            if cycle:  # the first one warms up
                ratios.append(took["few"] / took["default"])
        print(f"{name:58} {median(ratios):>8.2f} {min(ratios):>7.2f}-{max(ratios):.2f}", flush=True)
    Router.current = "default"


def requests_of(alias: str, rows: int) -> dict[str, Callable[[], Any]]:
    """Fill the tables of a database with so many tokens, and return the requests about them."""
    from django.db import connections

    from tests import endpoints, factories
    from tests.scale.rows import fill, without_indexes

    Router.current = alias
    with connections[alias].cursor() as cursor:
        with without_indexes(using=alias):
            fill(rows, using=alias)
        cursor.execute("VACUUM (ANALYZE) introspection_token, introspection_client, auth_user")
    caller = factories.ResourceServerFactory(introspection_policy="any")
    return {
        "a look-up for a protected view": local_view(rows),
        "introspection": lambda: endpoints.introspect(value(rows), auth=caller),
    }


def local_view(rows: int) -> Callable[[], Any]:
    from django_introspection import introspect

    return lambda: introspect(value(rows))


def value(rows: int) -> str:
    """Return the value of any token: the rows have the digests of numbers."""
    return str(random.randint(1, rows))  # noqa: S311 - nothing here is secret


def seconds(request: Callable[[], Any]) -> float:
    started = time.perf_counter()
    for _ in range(BATCH):
        request()
    return (time.perf_counter() - started) / BATCH


def purge_beside_requests(database: str) -> None:
    """Delete PURGED expired rows in a process of its own, and compare the slowest requests with those before."""
    alone = latencies(lambda done: done >= 3000)
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    purging = context.Process(target=purge, args=(database, writer))
    purging.start()
    beside = latencies(lambda _: not purging.is_alive())
    purging.join()
    deleted, longest, took = reader.recv()
    print(f"\npurge of {deleted:,} rows: {took:.0f} s, longest batch {longest * 1000:.0f} ms (goal {LIMIT * 1000:.0f})")
    ratio = p99(beside) / p99(alone)
    print(f"p99 of {len(beside):,} look-ups meanwhile / before: {ratio:.2f} (goal 2), {p99(alone) * 1e3:.2f} ms before")


def purge(database: str, result: Any) -> None:
    django.setup()
    from django.conf import settings
    from django.db import connections

    settings.DATABASES["default"]["NAME"] = connections["default"].settings_dict["NAME"] = database
    from django_introspection.authorization_server import purging
    from django_introspection.models import Token
    from django_introspection.models.fields import now

    started = last = time.perf_counter()
    deleted, longest = 0, 0.0
    for number in purging.purge(purging.expired(Token, now())):
        deleted, longest, last = deleted + number, max(longest, time.perf_counter() - last), time.perf_counter()
        if deleted >= PURGED:
            break
    result.send((deleted, longest, time.perf_counter() - started))


def latencies(is_over: Callable[[int], bool]) -> list[float]:
    request, found = local_view(ROWS), []
    while not is_over(len(found)):
        started = time.perf_counter()
        request()
        found.append(time.perf_counter() - started)
    return found


def p99(values: list[float]) -> float:
    return quantiles(values, n=100)[-1]


def memory_of_distinct_tokens() -> None:
    """Ask about DISTINCT tokens in this process; the memory after the first tenth is the one to compare with."""
    request = local_view(ROWS)
    grown: list[int] = []
    for number in range(1, DISTINCT + 1):
        request()
        if number % (DISTINCT // 10) == 0:
            grown.append(resident())
    first, last = (f"{size / 2**20:.1f} MiB" for size in (grown[0], grown[-1]))
    print(f"\nmemory after {DISTINCT // 10:,} different tokens: {first}, after {DISTINCT:,}: {last}")


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
