"""Whether threads wait for locks of this package: `make locks`, four processes with eight threads each.

While the threads make requests, one more thread looks every few milliseconds at the line that each of them is at. A
line of this package that takes a lock is where a thread waits for it, or takes it just then.
"""

from __future__ import annotations

import json
import linecache
import os
import sys
import time
from collections import Counter
from threading import Event, Thread, get_ident
from types import FrameType

from .run import VALUE, filled, result, start

PROCESSES, THREADS, EVERY = 4, 8, 0.003
SCENARIOS = ("endpoint", "endpoint-keeping", "local", "memory", "redis", "miss", "jwt-rs256", "bridge")
SECONDS = os.environ.get("SECONDS", "5")


def watch(seconds: float) -> dict[str, int]:
    """Return how many samples of how many threads were at a lock of this package; for the process of a scenario."""
    from .worker import prepared_request

    request, over, found = prepared_request(), Event(), Counter[str]()

    def work() -> None:
        while not over.is_set():
            request()
            found["requests"] += 1

    threads = [Thread(target=work, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(EVERY)
        for number, frame in sys._current_frames().items():
            if number != get_ident():
                found["samples"] += 1
                found["locks"] += _takes_a_lock(frame)
    over.set()
    for thread in threads:
        thread.join()
    return found


def _takes_a_lock(frame: FrameType) -> bool:
    """Return whether a thread is at a line of this package that takes a lock; `with` is in Python, the lock is not."""
    file = frame.f_code.co_filename
    return "/django_introspection/" in file and "lock" in linecache.getline(file, frame.f_lineno or 0)


def main() -> None:
    """Print a row for each scenario; each process has the same one."""
    if seconds := os.environ.get(VALUE):
        print(json.dumps(watch(float(seconds))))
        return
    print(f"{PROCESSES} processes with {THREADS} threads: {'samples':>12} {'at our locks':>14} {'requests':>10}")
    with filled(1000):
        for name in SCENARIOS:
            running = [start("benchmarks.locks", name, SECONDS) for _ in range(PROCESSES)]
            found: Counter[str] = Counter()
            for process in running:
                found.update(result(process))
            share = found["locks"] / found["samples"]
            print(f"{name:37} {found['samples']:>12} {share:>14.2%} {found['requests']:>10}", flush=True)


if __name__ == "__main__":
    main()
