"""Kill a process before each of its steps: a statement, a COMMIT, a call to Redis, the answer.

Nothing that lasts happens between two steps, so a kill before a step is also one after the step before it. As a
program (`python -m tests.faults.killing`): read jobs, one a line, and do each in a fork.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.settings import AUDIENCE


@dataclass(frozen=True)
class Outcome:
    """The end of one job: what was acknowledged, if it was, and whether the process was killed, before which step."""

    acknowledged: Any
    was_killed: bool
    step: str


class Jobs:
    """Do jobs in forks of one process, each killed before the step with a number."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, name: str, settings: dict[str, Any], *, kill_before: int, **arguments: Any) -> Outcome:
        """Do a job of JOBS with some settings, and say how it ended."""
        print(json.dumps([name, settings, arguments, kill_before]), file=self._process.stdin, flush=True)
        assert self._process.stdout is not None
        return Outcome(**json.loads(self._process.stdout.readline()))


@contextmanager
def jobs() -> Iterator[Jobs]:
    """Run the program."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-W", "error", "-m", "tests.faults.killing"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        yield Jobs(process)
        assert process.stdin is not None
        process.stdin.close()


class _Steps:
    """Count the steps of this process, and kill it before one of them."""

    def __init__(self, kill_before: int, out: int) -> None:
        self._kill_before, self._out, self._count = kill_before, out, 0
        self._known = set(sys.modules)

    def begin(self, step: str) -> None:
        self._count += 1
        if self._count == self._kill_before:
            self.tell_imports()
            self.tell(killed_before=step)
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, **what: Any) -> None:
        """Write a line that outlives this process."""
        os.write(self._out, json.dumps(what).encode() + b"\n")

    def tell_imports(self) -> None:
        """Name the modules that this process has imported, for the forks to come."""
        self.tell(imported=sorted(set(sys.modules) - self._known))

    def acknowledge(self, answer: Any) -> None:
        """Give the client its answer, which is a step as well."""
        self.begin("answer")
        self.tell(answer=answer)

    def watch(self) -> None:
        """Count what this process does to the database and to Redis."""
        import redis
        from django.db import connection
        from django.db.backends.base.base import BaseDatabaseWrapper
        from redis.client import Pipeline

        def statement(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            self.begin(sql[:60])
            return execute(sql, *rest)

        do_not_wait_for_the_disk()
        connection.execute_wrappers.append(statement)
        self._before(BaseDatabaseWrapper, "_commit", "COMMIT")
        self._before(redis.Redis, "execute_command", "Redis")
        self._before(Pipeline, "execute", "Redis, some at once")

    def _before(self, owner: type, name: str, step: str) -> None:
        do = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.begin(step)
            return do(*arguments, **options)

        setattr(owner, name, counted)


def do_not_wait_for_the_disk() -> None:
    """Let a server or the operating system write later; both outlive a process that is killed."""
    from django.db import connection

    statements = {"sqlite": "PRAGMA synchronous = OFF", "postgresql": "SET synchronous_commit = off"}
    if statement := statements.get(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def request(steps: _Steps, *, path: str, body: str, authorization: str) -> None:
    """Answer a request as a web server does: what is deferred runs after the answer."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    made = RequestFactory().post(
        path,
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": authorization},
    )
    response: Any = WSGIHandler()(made.environ, lambda *_: None)
    steps.acknowledge([response.status_code, json.loads(response.content or "{}")])
    response.close()


def issue(steps: _Steps, *, client: str, user: int) -> None:
    """Issue an access token and a refresh token."""
    from django.contrib.auth import get_user_model

    from django_introspection.models import Client, Token

    holder = {"client": Client.objects.get(pk=client), "user": get_user_model().objects.get(pk=user)}
    issued = Token.objects.issue(**holder, scope="orders:read", audience=[AUDIENCE], refresh=True)
    steps.acknowledge([issued.access_token, issued.refresh_token])


def delete(steps: _Steps, *, model: str, pk: Any) -> None:
    """Delete a row."""
    _row(model, pk).delete()
    steps.acknowledge(True)


def save(steps: _Steps, *, model: str, pk: Any, values: dict[str, Any]) -> None:
    """Change a row; a password is set."""
    row = _row(model, pk)
    for name, value in values.items():
        row.set_password(value) if name == "password" else setattr(row, name, value)
    row.save()
    steps.acknowledge(True)


def command(steps: _Steps, *, line: list[str]) -> None:
    """Run a command of an operator."""
    from io import StringIO

    from django.core.management import call_command

    out = StringIO()
    call_command(*line, stdout=out)
    steps.acknowledge(out.getvalue())


def _row(model: str, pk: Any) -> Any:
    from django.apps import apps

    return apps.get_model(model)._base_manager.get(pk=pk)


JOBS: dict[str, Callable[..., None]] = {each.__name__: each for each in (request, issue, delete, save, command)}


def _use(values: dict[str, Any]) -> None:
    """Use the settings and the database of a test."""
    from django.db import connections
    from django.test import override_settings

    connections["default"].settings_dict["NAME"] = values.pop("database")
    override_settings(**values).enable()


def _in_fork(name: str, settings: dict[str, Any], arguments: dict[str, Any], kill_before: int) -> dict[str, Any]:
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        steps = _Steps(kill_before, writes)
        try:
            _use(settings)
            steps.watch()
            JOBS[name](steps, **arguments)
        except BaseException as error:  # noqa: BLE001 - the test shows it
            steps.tell(answer=repr(error))
        finally:
            steps.tell_imports()
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as lines:
        told = [json.loads(line) for line in lines]
    _, status = os.waitpid(child, 0)
    members = {name: value for each in told for name, value in each.items()}
    for module in members.pop("imported"):
        with suppress(Exception):
            import_module(module)
    return {
        "acknowledged": members.get("answer"),
        "was_killed": os.WIFSIGNALED(status),
        "step": members.get("killed_before", ""),
    }


def main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(_in_fork(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
