"""Fuzz families, each in a process of its own, as many at once as there are cores.

`python -m tests.fuzzing --seconds 60` goes on where the last run ended, and adds to the record. With `--runs 2000` it
begins anew with a fixed seed and records nothing. An input that fails is kept in `var/fuzzing/FAMILY`, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock

from .listing import rules
from .record import ROOT, Result, add, today

FOUND = ROOT / "var" / "fuzzing"
RECORDING = Lock()


def main() -> None:
    options = _options()
    names = options.family or list(rules())
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) if options.runs else FOUND
        one = partial(fuzz, place=place, runs=options.runs, seconds=options.seconds)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            failed = [name for name, has_passed in zip(names, pool.map(one, names), strict=True) if not has_passed]
        if failed and options.runs:
            shutil.copytree(place, FOUND, dirs_exist_ok=True)
    if failed:
        print(f"failed: {', '.join(failed)}; the inputs are in {FOUND}")
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--family", action="append", choices=rules(), help="one family; may be repeated; all by default"
    )
    parser.add_argument("--seconds", type=int, default=60, help="seconds for each family (60)")
    parser.add_argument("--runs", type=int, default=0, help="a fixed number of executions instead, without a record")
    return parser.parse_args()


def fuzz(name: str, *, place: Path, runs: int, seconds: int) -> bool:
    """Fuzz one family, record what was reached, and return whether no input failed."""
    directory = place / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "slowest.json").unlink(missing_ok=True)
    limit = [f"-runs={runs}", "-seed=1"] if runs else [f"-max_total_time={seconds}"]
    with (directory / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzzing.guided", name, str(directory), *limit],
            env=_environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    output = (directory / "log.txt").read_text(errors="replace")
    executions = _last(r"^stat::number_of_executed_units: (\d+)", output)
    has_passed = process.returncode == 0 and executions > 0
    print(
        f"{name}: {executions:,} executions, {used.ru_utime + used.ru_stime:.0f} s",
        "" if has_passed else f"FAILED with exit status {process.returncode}",
        flush=True,
    )
    if not has_passed:
        print("\n".join(output.splitlines()[-60:]))
    if not runs:
        slowest = json.loads((directory / "slowest.json").read_text())
        result = Result(
            seconds=round(used.ru_utime + used.ru_stime, 1),
            executions=executions,
            edges=_last(r"cov: (\d+)", output),
            coverage=_coverage(name, directory),
            inputs=len(list((directory / "corpus").iterdir())),
            crashes=int(not has_passed),
            slowest_seconds=slowest["seconds"],
            slowest_bytes=slowest["bytes"],
            last_run=today(),
        )
        with RECORDING:
            add(name, result)
    return has_passed


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def _coverage(name: str, directory: Path) -> float:
    command = [sys.executable, "-m", "tests.fuzzing.coverage_of", name, str(directory)]
    finished = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    return float(finished.stdout.split()[-1]) if finished.returncode == 0 else 0.0


def _environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.fuzzing.settings"}


if __name__ == "__main__":
    main()
