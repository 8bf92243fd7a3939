"""Where the CPU time of a request goes, by package: `make profile`, or with `ARGS="memory view-dictionary"` for some.

A timer of CPU time interrupts the process of a scenario every millisecond, and the package whose function runs gets the
sample. What a C extension does counts for the function that calls it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from types import FrameType

from .rows import ROWS
from .run import VALUE, filled, result, start

EVERY = 0.001
"""Seconds of CPU time between two samples."""
PARTS = {
    "django_introspection": "ours",
    "django": "Django",
    "asgiref": "Django",
    "rest_framework": "DRF",
    "psycopg": "driver",
    "psycopg_binary": "driver",
    "redis": "driver",
    "hiredis": "driver",
    "httpx2": "HTTP client",
    "httpcore2": "HTTP client",
    "h11": "HTTP client",
    "urllib3": "HTTP client",
    "joserfc": "JOSE",
    "jwt": "JOSE",
    "cryptography": "JOSE",
    "benchmarks": "the view",
    "rest_framework_simplejwt": "other package",
    "oauth2_provider": "other package",
}
COLUMNS = ("ours", "other package", "Django", "DRF", "driver", "HTTP client", "JOSE", "the view", "Python")


def sample(seconds: float) -> dict[str, float]:
    """Return the microseconds of CPU time of one request by part; for the process of a scenario."""
    from .worker import prepared_request

    request, found = prepared_request(), Counter[str]()

    def note(_: int, frame: FrameType | None) -> None:
        found[_part(frame)] += 1

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    start, number = time.process_time(), 0
    while time.process_time() - start < seconds:
        request()
        number += 1
    used = time.process_time() - start
    signal.setitimer(signal.ITIMER_PROF, 0)
    return {part: count / found.total() * used / number * 1e6 for part, count in found.items()}


def _part(frame: FrameType | None) -> str:
    name = (frame.f_globals.get("__name__") or "") if frame else ""
    return PARTS.get(name.partition(".")[0], "Python")


def main() -> None:
    """Print a row for each scenario."""
    if seconds := os.environ.get(VALUE):
        print(json.dumps(sample(float(seconds))))
        return
    names = list(dict.fromkeys(name for row in ROWS for name in (row.ours, row.other)))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[[], *names], help="; ".join(names))
    parser.add_argument("--seconds", default="5", help="CPU time of each scenario")
    options = parser.parse_args()
    print(f"{'microseconds of a request':24}" + "".join(f"{column:>15}" for column in ("all", *COLUMNS)))
    with filled(1000):
        for name in options.scenario or names:
            print(_line(name, result(start("benchmarks.profiles", name, options.seconds))), flush=True)


def _line(name: str, found: Mapping[str, float]) -> str:
    shown = [sum(found.values()), *(found.get(column, 0) for column in COLUMNS)]
    return f"{name:24}" + "".join(f"{each:>15.0f}" if each else " " * 15 for each in shown)


if __name__ == "__main__":
    main()
