"""The recipes of the documentation run: deployment, metrics, CORS, moving from other packages, phrases of the log."""

from __future__ import annotations

import logging.config
import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import AppConfig
from django.core.management import call_command
from django.test import Client as Browser
from rest_framework.permissions import IsAuthenticated

import django_introspection
from django_introspection import introspect
from django_introspection.backends.breaker import FAILURES
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.signals import token_validated
from tests import factories
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import ask, protect
from tests.test_documentation import ROOT, blocks, read, table_rows

PACKAGE = Path(django_introspection.__file__).parent
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))


def made(page: str, file: str, having: str = "", **names: Any) -> dict[str, Any]:
    """Run the blocks of a page that are for one file, or those with a word, and return the names that they make."""
    for block in blocks(f"docs/{page}.rst"):
        if block.file == file and having in block.code:
            exec(block.code, names)  # noqa: S102
    return names


def test_the_logging_of_the_page_is_taken_and_shows_a_refusal(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    names = made("observability", "settings.py", "LOGGING")
    before = {name: logging.getLogger(name).level for name in names["LOGGING"]["loggers"]}
    try:
        logging.config.dictConfig(names["LOGGING"])

        introspect("unknown")
        ask(protect(), "unknown")

        assert "access token refused backend=default: unknown" in capsys.readouterr().err
    finally:
        for name, level in before.items():
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [], True
            logger.setLevel(level)


def test_the_metrics_count_each_validation_and_show_the_circuit(authorization_server: MisbehavingServer) -> None:
    from prometheus_client import REGISTRY

    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    names = made("observability", "metrics.py")  # a receiver is connected as long as somebody holds it
    try:
        assert introspect("a-token")
        assert value("introspection_validations_total", backend="default", outcome="active") == 1
        assert value("introspection_answers_total", backend="default", source="server") == 1

        authorization_server.behave("closes before the answer")
        for number in range(FAILURES + 1):
            with pytest.raises(IntrospectionUnavailable):
                introspect(f"token-{number}")
        assert value("introspection_validations_total", backend="default", outcome="unavailable") == FAILURES + 1
        assert value("introspection_circuit_open", server="default") == 1
    finally:
        for collector in ("VALIDATIONS", "ANSWERS", "CIRCUITS"):
            REGISTRY.unregister(names[collector])
        assert token_validated.disconnect(names["count_validation"])


def test_the_app_of_the_page_is_that_of_opentelemetry() -> None:
    (app,) = made("observability", "settings.py", "opentelemetry", INSTALLED_APPS=[])["INSTALLED_APPS"]

    assert AppConfig.create(app).label == "introspection_opentelemetry"


def test_the_page_names_every_metric_and_attribute_of_opentelemetry() -> None:
    code = "\n".join((PACKAGE / "contrib/opentelemetry" / f"{name}.py").read_text() for name in ("metrics", "requests"))
    names = set(re.findall(r'"((?:introspection|http|server|url|error)\.[a-z._]+)"', code))

    assert len(names) == 17
    assert [name for name in names if f"``{name}``" not in read("docs/observability.rst")] == []


def test_a_script_of_another_origin_reads_the_challenge(settings: Any, db: None) -> None:
    own = {"INSTALLED_APPS": [*settings.INSTALLED_APPS], "MIDDLEWARE": [*settings.MIDDLEWARE]}
    names = made("deployment", "settings.py", "corsheaders", **own)
    for name, value in names.items():
        if name.startswith(("CORS_", "MIDDLEWARE", "INSTALLED_APPS")):
            setattr(settings, name, value)
    settings.CORS_URLS_REGEX = "^/whoami"
    origin = settings.CORS_ALLOWED_ORIGINS[0]

    refusal = Browser().get("/whoami", headers={"Origin": origin, "Authorization": "Bearer unknown"})
    preflight = Browser().options(
        "/whoami",
        headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
    )

    assert refusal.status_code == 401
    assert refusal["Access-Control-Allow-Origin"] == origin
    assert "WWW-Authenticate" in refusal["Access-Control-Expose-Headers"]
    assert preflight["Access-Control-Allow-Origin"] == origin
    assert "authorization" in preflight["Access-Control-Allow-Headers"]


def test_both_kinds_of_token_open_a_view_while_a_project_moves_from_simplejwt(db: None, settings: Any) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": "a key of a test that is long enough for HS256"}
    from rest_framework_simplejwt.tokens import AccessToken

    user, machine = factories.UserFactory(), factories.RegistrationFactory().client
    view = protect(
        authentication_classes=[made("choosing", "authentication.py")["EitherAuthentication"]],
        permission_classes=[IsAuthenticated],
    )
    ours = made("choosing", "login.py")["log_in"](machine, user)

    assert ask(view, str(AccessToken.for_user(user))).status_code == 200
    assert ask(view, "unknown").status_code == 401
    assert ours["refresh"].startswith("dit_rt_")
    assert ask(view, ours["access"]).status_code == 200


def test_the_threat_model_names_tests_that_exist() -> None:
    named = re.findall(r"``([a-z_0-9]+/(?:[a-z_0-9]+\.py)?)``", read("docs/threat-model.rst").split("Threats\n---")[1])

    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).exists()] == []


def test_the_phrases_of_the_log_that_troubleshooting_explains_are_those_of_the_code() -> None:
    symptoms = [cells[0] for cells in table_rows(read("docs/troubleshooting.rst"))]
    quoted = [phrase for symptom in symptoms for phrase in re.findall(r"``([a-z][A-Za-z ]+)[;`:]", symptom)]

    assert len(quoted) > 10
    assert "circuit opened" in quoted, "which is made of two words"
    assert [phrase for phrase in quoted if phrase not in SOURCE and phrase != "circuit opened"] == []


def test_the_commands_of_troubleshooting_exist(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"\$ python manage\.py (\w+)", read("docs/troubleshooting.rst"))

    assert len(commands) == 3
    for command in commands:
        with pytest.raises(SystemExit, match="0"):
            call_command(command, "--help")
        capsys.readouterr()
