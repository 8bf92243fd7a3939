"""Commands as scripts run them: examples, exit codes, and what other people of the machine can see."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class

from django_introspection.management.base import ScriptCommand
from django_introspection.protocol import opaque

from .scripts import ROOT, Project, run_here, succeeded

pytestmark = pytest.mark.processes

COMMANDS = [
    "introspection_client",
    "introspection_token",
    "introspection_key",
    "introspection_purge",
    "introspection_doctor",
    "introspection_patterns",
    "introspection_events",
    "introspection_personal_tokens",
]
SECRET = "a-secret-that-was-made-by-the-deployment"
ORDERS = "https://api.example.com/orders"

FILL = """
from datetime import timedelta
from django_introspection.models import Client, Token
from django_introspection.models.fields import now
client, _ = Client.objects.register(client_name="machine")
moments = [now() - timedelta(days=1)] * {expired} + [now() + timedelta(days=1)] * {live}
rows = [Token(client=client, digest=b"%032d" % n, kind="access", expires_at=at) for n, at in enumerate(moments)]
Token.objects.bulk_create(rows)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")


def examples(command: str) -> tuple[str, ...]:
    made = load_command_class(get_commands()[command], command)
    assert isinstance(made, ScriptCommand)
    return made.examples


def run_examples(project: Project, database_url: str, command: str) -> None:
    """Run every example; the first, and those with a redirection, as processes, which take a second each."""
    assert examples(command)
    for number, example in enumerate(examples(command)):
        if "--issuer" in example:  # the one of the example needs a table of issuers, and a server
            assert run_here(example).returncode == 1
        elif number and not {"<", ">"} & set(example):
            succeeded(run_here(example))
        else:
            succeeded(project.run(example, DATABASE_URL=database_url))


def scalar(project: Project, sql: str) -> int:
    with sqlite3.connect(project.database) as connection:
        (value,) = connection.execute(sql).fetchone()
    connection.close()
    return int(value)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_shows_every_example_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command(command, "--help")
    text = capsys.readouterr().out

    assert [example for example in examples(command) if example not in text] == []
    assert "exit codes: 0 " in text


def test_the_help_of_a_sub_command_shows_its_own_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("introspection_client", "rotate", "--help")
    text = capsys.readouterr().out

    assert "manage.py introspection_client rotate orders-api --expire-others-in 7d" in text
    assert "introspection_client create" not in text


def test_every_example_runs(tmp_path: Path, database_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BILLING_SECRET", SECRET)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": project.environment()["CACHE_DIR"],
        }
    }
    settings.SILENCED_SYSTEM_CHECKS = [
        "introspection.E045",
        "introspection.E046",
    ]  # files stand in for a server that processes share
    (tmp_path / "billing-secret.txt").write_text(f"{SECRET}\n")
    call_command("createsuperuser", "--no-input", username="ada", email="ada@example.com", verbosity=0)

    run_examples(project, database_url, "introspection_client")
    issue = f"manage.py introspection_token issue --client shop --audience {ORDERS} --scope orders:write --json"
    token = json.loads(succeeded(run_here(issue)))["access_token"]
    (tmp_path / "token.txt").write_text(token)
    monkeypatch.setenv("TOKEN", token)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    # The commands of this test run one after the other, which a cache on disk can bear.
    settings.SILENCED_SYSTEM_CHECKS = ["introspection.E045", "introspection.E046"]
    run_examples(project, database_url, "introspection_token")
    run_examples(project, database_url, "introspection_key")
    run_examples(project, database_url, "introspection_purge")
    run_examples(project, database_url, "introspection_patterns")
    run_examples(project, database_url, "introspection_personal_tokens")
    run_examples(project, database_url, "introspection_doctor")


def test_the_list_has_every_command_of_the_package() -> None:
    found = {file.stem for file in (ROOT / "django_introspection").rglob("management/commands/introspection_*.py")}

    assert found == set(COMMANDS)


def test_the_documentation_shows_the_examples_and_no_other() -> None:
    page = (ROOT / "docs" / "commands.rst").read_text(encoding="utf-8")
    shown = re.findall(r"^   (manage\.py .*)$", page, re.MULTILINE)

    assert sorted(shown) == sorted(example for command in COMMANDS for example in examples(command))


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("introspection_client show nobody", 1, "CommandError: The client does not exist.\n"),
        ("introspection_client create --secret-env NO_SUCH", 1, "--secret-env: there is no such environment variable"),
        ("introspection_client", 2, "required: command"),
        ("introspection_client sho nobody", 2, "invalid choice: 'sho'"),
        ("introspection_client list --js", 2, "unrecognized arguments"),
        ("introspection_purge --older-than 7w", 2, "must be a duration, such as 90s, 15m, 12h or 7d"),
        ("introspection_purge --batch 0", 2, "must be a whole number, 1 or more"),
        ("introspection_token inspect --token-file no-such-file", 1, "--token-file: it cannot be read"),
        ("introspection_token inspect --token-env HOME --using elsewhere", 1, "does not exist"),
        ("introspection_token inspect --token-env HOME --json", 4, "The token is rejected: unknown"),
    ],
)
def test_how_a_command_ends_says_what_happened(db: None, line: str, code: int, reason: str) -> None:
    assert_ends(run_here(f"manage.py {line}"), code, reason)


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("introspection_token inspect --token-file - </dev/null", 1, "--token-file: it is empty"),
        ("introspection_token inspect --token-env HOME --json", 4, "The token is rejected: unknown"),
    ],
)
def test_how_a_process_ends_says_what_happened(project: Project, line: str, code: int, reason: str) -> None:
    assert_ends(project.run(f"manage.py {line}"), code, reason)


def assert_ends(finished: subprocess.CompletedProcess[str], code: int, reason: str) -> None:
    assert finished.returncode == code
    assert reason in finished.stderr
    if code != 2:
        assert len([each for each in finished.stderr.splitlines() if each.startswith("CommandError: ")]) == 1
        assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "line", ["introspection_client list", "introspection_purge", "introspection_token revoke --client x"]
)
def test_a_database_that_does_not_answer_has_an_exit_code_of_its_own(tmp_path: Path, line: str) -> None:
    finished = Project(tmp_path).run(f"manage.py {line}")

    assert finished.returncode == 3
    assert "CommandError: The database does not answer: OperationalError\n" in finished.stderr


def test_a_secret_is_on_stdout_once_and_nowhere_else(project: Project) -> None:
    created = project.run(f"manage.py introspection_client create --client-id api --resource {ORDERS} --json")
    rotated = project.run("manage.py introspection_client rotate api")
    issued = project.run("manage.py introspection_token issue --client api --refresh --json")
    texts = [succeeded(created), succeeded(rotated), succeeded(issued)]
    tokens = json.loads(texts[2])
    shown_later = succeeded(project.run("manage.py introspection_client show api"))
    values = {
        json.loads(texts[0])["client_secret"]: texts[0],
        texts[1].partition("client_secret: ")[2].split("\n")[0]: texts[1],
        tokens["access_token"]: texts[2],
        tokens["refresh_token"]: texts[2],
    }

    stored = project.database.read_bytes()
    assert opaque.digest(tokens["access_token"]) in stored
    assert "token issued" in issued.stderr
    for value, text in values.items():
        assert len(value) == 56
        assert "".join(texts).count(value) == text.count(value) == 1
        assert value not in created.stderr + rotated.stderr + issued.stderr + shown_later
        assert value.encode() not in stored
    assert scalar(project, "SELECT count(*) FROM django_admin_log") == 0


@linux_only
@pytest.mark.parametrize("line", [["introspection_client", "create", "--client-id", "api", "--secret-file", "-"]])
def test_nobody_sees_a_secret_of_standard_input_in_proc(project: Project, line: list[str]) -> None:
    with project.start(*line) as process:
        assert process.stdin is not None
        process.stdin.write(SECRET)
        process.stdin.flush()  # it waits for the end of the input, and can be looked at
        place = Path("/proc", str(process.pid))
        while not (command_line := (place / "cmdline").read_bytes()):  # the kernel has just begun to execute it
            assert process.poll() is None
        seen = command_line + (place / "environ").read_bytes()
        out, err = process.communicate(timeout=60)

    assert b"introspection_client" in seen
    assert SECRET.encode() not in seen
    assert process.returncode == 0, err
    assert SECRET not in out + err
    assert SECRET.encode() not in project.database.read_bytes()


@pytest.mark.parametrize("place", ["--secret-env", "--secret-file"])
def test_a_secret_that_was_given_for_its_place_is_not_repeated(project: Project, place: str) -> None:
    finished = project.run(f"manage.py introspection_client --traceback create --client-id api {place} {SECRET}")

    assert finished.returncode == 1
    assert SECRET not in finished.stdout + finished.stderr


def test_processes_that_provision_the_same_client_at_once_all_succeed(project: Project) -> None:
    line = ["introspection_client", "create", "--client-id", "api", "--secret-env", "SECRET", "--json"]
    processes = [project.start(*line, SECRET=SECRET) for _ in range(4)]
    ended = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, ended
    results = sorted(json.loads(out)["result"] for out, _ in ended)
    assert results.count("created") == 1
    assert scalar(project, "SELECT count(*) FROM introspection_client") == 1
    assert scalar(project, "SELECT count(*) FROM introspection_clientsecret") == 1


def test_a_purge_that_is_killed_is_finished_by_the_next_one(project: Project) -> None:
    expired, live = 3000, 5
    (project.directory / "fill.py").write_text(FILL.format(expired=expired, live=live))
    succeeded(project.run("manage.py shell --verbosity 0 < fill.py"))
    tokens = "SELECT count(*) FROM introspection_token"

    with project.start("introspection_purge", "--batch", "1") as process:
        while (left := scalar(project, tokens)) == expired + live and process.poll() is None:
            pass
        process.kill()
        process.communicate(timeout=60)
    assert live < scalar(project, tokens) <= left < expired + live
    finished = json.loads(succeeded(project.run("manage.py introspection_purge --json")))

    assert finished["complete"] is True
    assert scalar(project, tokens) == live
