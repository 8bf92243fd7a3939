"""Why was it refused? Django's default logging shows it in development, and one line of LOGGING in production."""

from __future__ import annotations

import logging
import logging.config
from ast import literal_eval
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from django_introspection.decorators import token_required
from django_introspection.permissions import requires_scope
from tests import factories
from tests.settings import AUDIENCE

from .protected import ask, protect

OTHER = "https://api.example.com/other"
WRONG_AUDIENCE = f"access token refused backend=default: wrong audience; expected aud '{AUDIENCE}'; found aud '{OTHER}'"
LINE = '"django_introspection": {"handlers": ["console"], "level": "INFO"}'
"""The line of LOGGING['loggers'] that the page *Protecting views* shows."""
PAGE = Path(__file__).parents[2] / "docs" / "protecting-views.rst"


@contextmanager
def logging_of_a_project(loggers: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Log as a project without LOGGING does, or with these loggers and a handler `console`; pytest adds nothing."""
    logger, root = logging.getLogger("django_introspection"), logging.root
    handlers, level = root.handlers, logger.level
    root.handlers = []
    try:
        if loggers:
            console = {"console": {"class": "logging.StreamHandler"}}
            project = {"version": 1, "disable_existing_loggers": False, "handlers": console, "loggers": loggers}
            logging.config.dictConfig(project)
        yield
    finally:
        root.handlers = handlers
        logger.handlers.clear()
        logger.setLevel(level)


@pytest.fixture
def elsewhere(db: None) -> str:
    return str(factories.TokenFactory(audience=[OTHER]).access_token)


def test_the_reason_is_seen_in_development(capsys: Any, settings: Any, elsewhere: str) -> None:
    settings.DEBUG = True

    with logging_of_a_project():
        assert ask(protect(), elsewhere).status_code == 401

    printed = capsys.readouterr().err
    assert WRONG_AUDIENCE in printed.splitlines()
    assert elsewhere not in printed


def test_a_stranger_fills_no_log_in_production(capsys: Any, elsewhere: str) -> None:
    with logging_of_a_project():
        assert ask(protect(), elsewhere).status_code == 401

    assert WRONG_AUDIENCE not in capsys.readouterr().err


def test_one_line_switches_it_on_in_production(capsys: Any, elsewhere: str) -> None:
    assert LINE in PAGE.read_text()
    with logging_of_a_project(literal_eval(f"{{{LINE}}}")):
        ask(protect(), elsewhere)

    assert capsys.readouterr().err.splitlines().count(WRONG_AUDIENCE) == 1


@pytest.mark.parametrize(
    ("members", "expected", "found"),
    [
        ({"iss": "https://other.example"}, "iss 'https://auth.example.com'", "iss 'https://other.example'"),
        ({"aud": ["urn:a", "urn:b"]}, f"aud '{AUDIENCE}'", "aud 'urn:a', 'urn:b'"),
        ({"aud": None}, f"aud '{AUDIENCE}'", "aud none"),
        (
            {"token_use": "refresh_token"},
            "token_type 'Bearer' or 'DPoP'",
            "token_type 'Bearer', token_use 'refresh_token'",
        ),
        ({"token_type": None}, "token_type 'Bearer' or 'DPoP'", "no token_type"),
        ({"cnf": {"jkt": "key"}}, "a bearer token without cnf", "cnf with jkt 'key'"),
        ({"exp": 1}, "exp after 20", "exp 1970-01-01T00:00:01+00:00"),
        ({"nbf": 4102444800}, "nbf before 20", "nbf 2100-01-01T00:00:00+00:00"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_was_expected_and_found_is_named(
    members: dict[str, Any], expected: str, found: str, authorization_server: Any, settings: Any, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    settings.TOKEN_INTROSPECTION = authorization_server.settings(
        audience=AUDIENCE, issuer="https://auth.example.com", require_token_type=True
    )
    named = {"iss": "https://auth.example.com", "aud": AUDIENCE, **members}
    authorization_server.behave("active", **named)

    assert ask(protect(), "the-token").status_code == 401

    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert f"; expected {expected}" in line
    assert f"; found {found}" in line
    assert "the-token" not in line


def test_a_value_from_outside_forges_and_fills_no_line(authorization_server: Any, settings: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience=AUDIENCE)
    authorization_server.behave("active", aud=["a\nb\x1b[31m", "x" * 5000, *(f"urn:{number}" for number in range(500))])

    ask(protect(), "the-token")

    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert line.isascii() or line.replace("…", "").isascii()
    assert line.isprintable()
    assert len(line) < 1000


@token_required(scope="orders:read orders:write")
def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_a_missing_scope_is_explained_the_same_way(db: None, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    token = factories.TokenFactory(scope="orders:read").access_token
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
    scopes = requires_scope("orders:read", "orders:write")

    assert plain(request).status_code == 403
    assert ask(protect(permission_classes=[scopes]), token).status_code == 403

    reason = "insufficient scope; expected scope 'orders:read', 'orders:write'; found scope 'orders:read'"
    assert [record.getMessage() for record in caplog.records if "refused" in record.getMessage()] == [
        f"access token refused backend=default: {reason}",
        f"access token refused view=Orders: {reason}",
    ]
    assert token not in caplog.text


def test_a_method_without_scopes_is_explained(db: None, caplog: Any) -> None:
    from django_introspection.permissions import HasScope

    caplog.set_level(logging.INFO, "django_introspection")
    view = protect(permission_classes=[HasScope], required_scopes={"GET": ["orders:read"]})

    assert ask(view, factories.TokenFactory().access_token, method="post").status_code == 403

    assert "access token refused view=Orders: the view names no scope for 'POST'" in caplog.text


def test_a_malformed_token_is_explained(caplog: Any) -> None:
    caplog.set_level(logging.INFO, "django_introspection")

    assert ask(protect(), "no(token").status_code == 401

    assert "access token refused backend=default: malformed" in caplog.text
    assert "no(token" not in caplog.text
