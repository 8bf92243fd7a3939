"""Download the source distributions, run their tests with ours in place, and compare the failures with the list.

`python -m tests.peer_suites django-allauth` runs one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
KEPT = ROOT / "var" / "peer-suites"
OPTIONS = ("-q", "-p", "pytest_django", "-p", "no:randomly", "-p", "no:cacheprovider", "-o", "addopts=")


def main(names: list[str]) -> int:
    suites = tomllib.loads((HERE / "differences.toml").read_text())["suite"]
    problems = [line for suite in suites if suite["package"] in (names or suite["package"]) for line in run(suite)]
    print("\n".join(problems) or "every difference is on its page")
    return 1 if problems else 0


def run(suite: dict[str, Any]) -> list[str]:
    """Run the tests of a package, and return what is not as the list says."""
    results = results_of(suite, source_of(suite["package"], suite["version"]))
    failed = [name for name, has_failed in results if has_failed]
    patterns = {pattern: entry for entry in suite["difference"] for pattern in entry["tests"]}
    problems = [
        f"{name} fails, and no page says why"
        for name in failed
        if not any(fnmatchcase(name, each) for each in patterns)
    ]
    for pattern, entry in patterns.items():
        if not any(fnmatchcase(name, pattern) for name in failed):
            problems.append(f"{pattern} passes: take it off the list")
        if not (ROOT / "docs" / f"{entry['page']}.rst").exists():
            problems.append(f"{pattern}: there is no page {entry['page']}")
    if len(results) != suite["tests"]:
        problems.append(f"{suite['package']}: {len(results)} tests ran instead of {suite['tests']}")
    print(f"{suite['package']} {suite['version']}: {len(results)} tests, {len(failed)} differ")
    return problems


def source_of(package: str, version: str) -> Path:
    """Return the unpacked source distribution, downloaded on first use."""
    name = f"{package.replace('-', '_')}-{version}"
    if not (KEPT / name).exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--dest", str(KEPT))
        download = [sys.executable, "-m", "pip", "download", *quiet, "--no-binary", package, f"{package}=={version}"]
        subprocess.run(download, check=True)
        with tarfile.open(KEPT / f"{name}.tar.gz") as archive:
            archive.extractall(KEPT, filter="data")
    return KEPT / name


def results_of(suite: dict[str, Any], source: Path) -> list[tuple[str, bool]]:
    """Return the name of each test, and whether it failed."""
    own = HERE / suite["directory"]
    if (own / "support").exists():  # what their tests import and their source distribution has not
        shutil.copytree(own / "support", source / "tests", dirs_exist_ok=True)
    report = KEPT / f"{suite['package']}.xml"
    command = [sys.executable, "-m", "pytest", *OPTIONS, "-p", suite["plugin"], f"--ds={suite['settings']}"]
    # Their package `tests` comes first, and ours is not on the path by its own name.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (own, ROOT)))}
    done = subprocess.run(
        [*command, f"--junitxml={report}", *suite["arguments"]],
        cwd=source,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - pytest wrote it a moment ago
    return [(case.get("name", ""), any(each.tag in ("failure", "error") for each in case)) for case in cases]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
