"""One refresh token in many hands at once. As a program: the same from a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests import endpoints


@dataclass(frozen=True)
class Race:
    """What every runner presents, and how often."""

    authorization: str
    refresh_token: str
    grace: int
    threads: int = 10
    uses: int = 5


Result = tuple[int, str]
"""Status, and the new refresh token or the error."""


def run(race: Race) -> list[Result]:
    """Present the token from every thread of this process at once."""
    form = {"grant_type": "refresh_token", "refresh_token": race.refresh_token}
    results: list[Result] = []
    together = threading.Barrier(race.threads)

    def use() -> None:
        together.wait(timeout=60)
        for _ in range(race.uses):
            response = endpoints.post("/oauth/token", form, auth=race.authorization)
            answer = response.json()
            results.append((response.status_code, answer.get("refresh_token") or answer["error"]))

    in_threads([use] * race.threads)
    return results


def in_threads(works: list[Callable[[], Any]]) -> None:
    """Run functions at once, each with connections of its own that it closes; raises what one of them raised."""
    from django.db import connections

    failures: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - raised on below
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _process(race: Race, database_url: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.authorization_server.racing"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        print(json.dumps(asdict(race)), file=process.stdin, flush=True)
        yield process


def run_everywhere(race: Race, database_url: str, *, processes: int = 2) -> list[Result]:
    """Present the token from this process and from others at once."""
    with ExitStack() as stack:
        others = [stack.enter_context(_process(race, database_url)) for _ in range(processes)]
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
        for other in others:
            print("go", file=other.stdin, flush=True)
        results = run(race)
        for other in others:
            printed, _ = other.communicate(timeout=300)
            results += [(status, said) for status, said in json.loads(printed)]
    return results


def main() -> None:
    import django

    django.setup()
    from django.conf import settings

    race = Race(**json.loads(sys.stdin.readline()))
    settings.TOKEN_INTROSPECTION["REFRESH_GRACE"] = race.grace  # before the first read
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(run(race)))


if __name__ == "__main__":
    main()
