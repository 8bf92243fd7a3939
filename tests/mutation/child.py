"""Run tests against one mutant, in a child process that ends with them."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from .mutations import Mutation, mutated

# What the children need and the project does not change; imported once.
PRELOADED = (
    *("django.contrib.admin", "rest_framework.test", "rest_framework.serializers"),
    *("hypothesis", "factory", "httpx2", "joserfc", "redis", "time_machine"),
)
OPTIONS = (
    "-x",
    "-q",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--no-header",
)
OUTPUT = "var/mutation/output"
"""What the last child printed."""
KILLED = ("killed", "timeout", "broken")
TIME_LIMIT = 60
CUT = 42
_VERDICTS = {int(pytest.ExitCode.OK): "survived", int(pytest.ExitCode.TESTS_FAILED): "killed", CUT: "cut"}


def run_tests(mutation: Mutation, names: Sequence[str], seconds: float) -> str:
    """Return what became of a mutant: survived, killed, cut (tests were left out), timeout or broken (no import)."""
    _preload()
    child = os.fork()
    if child == 0:
        _be_the_child(mutation, names, seconds)
    end = time.monotonic() + seconds + 60
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _VERDICTS.get(os.waitstatus_to_exitcode(status), "broken")
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _preload() -> None:
    for name in PRELOADED:
        with suppress(Exception):  # some need settings, and have imported the most by then
            importlib.import_module(name)


def _be_the_child(mutation: Mutation, names: Sequence[str], seconds: float) -> None:
    code: Any = pytest.ExitCode.INTERNAL_ERROR
    try:
        os.setsid()
        output = os.open(OUTPUT, os.O_CREAT | os.O_TRUNC | os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(output, stream)
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "django_introspection")]:
            del sys.modules[name]
        sys.meta_path.insert(0, _Finder(mutation))
        files = dict.fromkeys(name.partition("::")[0] for name in names)  # a name that is gone is no error
        code = pytest.main([*OPTIONS, *files], plugins=[_Chosen(names, seconds)])
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(code))


class _Chosen:
    """Run these tests in this order, and stop after so many seconds, which is no failure."""

    def __init__(self, names: Sequence[str], seconds: float) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._end = time.monotonic() + seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((item for item in items if item.nodeid in self._places), key=self._place)

    def pytest_runtest_logfinish(self) -> None:
        if time.monotonic() > self._end:
            pytest.exit("tests were left out", returncode=CUT)

    def _place(self, item: pytest.Item) -> int:
        return self._places[item.nodeid]


class _Finder(importlib.abc.MetaPathFinder):
    """Import the changed module in place of the one in the file."""

    def __init__(self, mutation: Mutation) -> None:
        self._mutation, self._name = mutation, f"django_introspection.{mutation.module}"

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        file = importlib.machinery.PathFinder.find_spec(name, path)
        assert file is not None
        assert file.origin is not None
        return importlib.util.spec_from_file_location(
            name, file.origin, loader=_Loader(name, file.origin, self._mutation)
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, mutation: Mutation) -> None:
        super().__init__(name, path)
        self._mutation = mutation

    def get_code(self, fullname: str) -> Any:
        return compile(mutated(self.get_source(fullname) or "", self._mutation), self.path, "exec", dont_inherit=True)
