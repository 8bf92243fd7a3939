"""Whether times tell strangers which clients exist, or callers which tokens: `make timing`, on PostgreSQL.

The kinds of requests come in random order, in one process without a network, which sees more than any stranger can. The
times of two kinds are compared by the rank-sum test of Mann and Whitney. The last rows are controls: the same requests
made slower by so many microseconds. A control that is found shows how small a difference the test would have found.

The command fails if strangers can tell clients apart, or if it would not have noticed, because even the slowest control
is not found.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import math
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median
from typing import Any

from django_introspection.protocol import opaque

from . import scenarios
from .inputs import inputs
from .run import VALUE, filled, result, start
from .worker import environ

SCENARIO = "endpoint-guessing"
CONTROLS = {f"slower by {number} µs": number * 1e-6 for number in (2, 5, 20, 100)}
UNKNOWN, WRONG, DISABLED, WRONG_SECRETS = "unknown client", "wrong secret", "disabled client", "another wrong secret"
NO_TOKEN, FOREIGN = "unknown token", "token of another client"
ALIKE = [(UNKNOWN, WRONG), (UNKNOWN, DISABLED), (WRONG_SECRETS, WRONG)]
CONTROL_PAIRS = [(WRONG_SECRETS, control) for control in CONTROLS]
PAIRS = [*ALIKE, (NO_TOKEN, FOREIGN), *CONTROL_PAIRS]
FOUND = 1e-6
"""A difference is found below this p: requests that are alike get there once in a million comparisons."""


def sample(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of requests of each kind; for the process of the scenario."""
    logging.disable()
    requests = _requests()
    found: dict[str, list[float]] = {kind: [] for kind in requests}
    for turn in range(rounds + 200):
        for kind in random.sample(list(requests), len(requests)):
            start = time.perf_counter()
            requests[kind]()
            if turn >= 200:
                found[kind].append(time.perf_counter() - start)
    return found


def _requests() -> dict[str, Callable[[], None]]:
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    known, own = inputs(), scenarios.SCENARIOS[SCENARIO]
    missing = opaque.generate(opaque.ACCESS_TOKEN)
    caller = "client-1", known["other_secret"]

    def request(client: str, secret: str, token: str, status: str, delay: float = 0) -> Callable[[], None]:
        values = environ(replace(own, client=client), token, secret)
        body = values["wsgi.input"].getvalue()

        def call() -> None:
            seen: list[str] = []
            values["wsgi.input"] = io.BytesIO(body)
            answer = application(dict(values), lambda said, headers, exc_info=None: seen.append(said))
            content = b"".join(answer)
            answer.close()
            until = time.perf_counter() + delay
            while time.perf_counter() < until:
                pass
            if not seen[0].startswith(status) or b"true" in content:
                raise SystemExit(f"{client}: {seen[0]} {content!r}")

        return call

    def guess(client: str, delay: float = 0) -> Callable[[], None]:
        return request(client, opaque.generate(opaque.CLIENT_SECRET), missing, "401", delay)

    kinds = {UNKNOWN: guess("client-x"), WRONG: guess("client-2"), WRONG_SECRETS: guess("client-3")}
    kinds[DISABLED] = guess("client-4")
    kinds[NO_TOKEN] = request(*caller, missing, "200")
    kinds[FOREIGN] = request(*caller, known["tokens"][2], "200")
    return kinds | {control: guess("client-3", delay) for control, delay in CONTROLS.items()}


def fill(known: Mapping[str, Any]) -> dict[str, Any]:
    """Give a client that is not the holder of the tokens a secret, and disable another; return what is to be known."""
    from django_introspection.models import Client, ClientSecret

    secret = opaque.generate(opaque.CLIENT_SECRET)
    for number in range(1, 5):
        client = Client.objects.get(client_id=f"client-{number}")
        value = secret if number == 1 else opaque.generate(opaque.CLIENT_SECRET)
        ClientSecret.objects.create(client=client, digest=opaque.digest(value), hint="")
    Client.objects.filter(client_id="client-4").update(is_active=False)
    return {**known, "other_secret": secret}


def rank_sum(first: list[float], second: list[float]) -> float:
    """Return the probability of ranks as unlike as these if both are of one distribution (two-sided, normal)."""
    ranked = sorted((value, side) for side, values in enumerate((first, second)) for value in values)
    total = sum(rank for rank, (_, side) in enumerate(ranked, start=1) if not side)
    n, m = len(first), len(second)
    z = (total - n * (n + m + 1) / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def complaints(found: Mapping[tuple[str, str], float]) -> list[str]:
    """Return what the p of each pair says against this server, or against the test."""
    seen = [f"{first} and {second} can be told apart" for first, second in ALIKE if found[first, second] < FOUND]
    slowest = CONTROL_PAIRS[-1]
    return seen if found[slowest] < FOUND else [*seen, f"nothing can be concluded: {slowest[1]} was not found"]


def main() -> None:
    """Print a row for each pair, and fail as the module says."""
    if rounds := os.environ.get(VALUE):
        print(json.dumps(sample(int(rounds))))
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000, help="requests of each kind")
    options = parser.parse_args()
    with filled(1000, fill):
        found = result(start("benchmarks.timing", SCENARIO, str(options.rounds)))
    print(f"{options.rounds} requests of each kind, medians in µs")
    probability = {}
    for first, second in PAIRS:
        medians = [median(found[kind]) * 1e6 for kind in (first, second)]
        probability[first, second] = rank_sum(found[first], found[second])
        print(f"{first:22} {medians[0]:8.1f}   {second:24} {medians[1]:8.1f}   p = {probability[first, second]:.2g}")
    if said := complaints(probability):
        raise SystemExit("\n".join(said))


if __name__ == "__main__":
    main()
