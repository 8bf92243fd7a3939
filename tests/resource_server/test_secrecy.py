"""No token and no secret in logs, messages or error reports."""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from rest_framework.request import Request
from rest_framework.response import Response

from django_introspection import aintrospect, introspect
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.middleware import ProtectedPaths
from tests import factories
from tests.misbehaving.server import CLIENT_ID, CLIENT_SECRET, MisbehavingServer

from .protected import ask, protect

FORM = "application/x-www-form-urlencoded"
TOKEN = "-".join(["value", "of", "a", "token"])
CREDENTIALS = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()).decode()
SECRETS = [TOKEN, CLIENT_SECRET, CLIENT_SECRET.replace(" ", "+"), CREDENTIALS]


def report(call: Any, request: Any = None) -> str:
    """Return the error report that a project mails to its operators when a call fails."""
    try:
        call()
    except Exception:  # noqa: BLE001 - whatever it is, it is what the report is about
        reporter = ExceptionReporter(request or RequestFactory().get("/"), *sys.exc_info())
        return reporter.get_traceback_html() + reporter.get_traceback_text()
    pytest.fail("nothing was raised")


@pytest.mark.requirement("9700-4.9.3-a")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(
    "behaviour", ["status 500", "HTML", "body over the limit", "closes before the answer", "resets before the answer"]
)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_error_report_holds_neither_the_token_nor_our_secret(
    is_async: bool, behaviour: str, method: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method=method)
    authorization_server.behave(behaviour)

    said = report(lambda: asyncio.run(aintrospect(TOKEN)) if is_async else introspect(TOKEN))

    assert "introspect" in said
    assert [secret for secret in SECRETS if secret in said] == []


@pytest.mark.requirement("9700-4.9.3-a")
@pytest.mark.parametrize("behaviour", ["active", "inactive", "status 500", "HTML", "resets before the answer"])
def test_no_logger_at_any_level_tells_a_token_or_a_secret(
    behaviour: str, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    authorization_server.behave(behaviour)
    with caplog.at_level(logging.DEBUG):
        ask(protect(), TOKEN)
        ask(protect(), f"{TOKEN} {TOKEN}")

    assert [secret for secret in SECRETS if secret in caplog.text] == []


@pytest.mark.requirement("9700-4.9.3-a")
@pytest.mark.django_db
def test_no_statement_holds_a_token(caplog: pytest.LogCaptureFixture) -> None:
    token = factories.TokenFactory().access_token
    with caplog.at_level(logging.DEBUG):
        ask(protect(), token)
        ask(protect(), TOKEN)

    assert token not in caplog.text
    assert TOKEN not in caplog.text


def test_the_message_of_a_refusal_does_not_repeat_the_token(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("inactive")

    for sent in (TOKEN, f"{TOKEN} {TOKEN}", f'{TOKEN}"'):
        response = ask(protect(), sent)
        assert TOKEN not in response.content.decode() + str(response.headers)


async def failing_async_view(request: Any) -> HttpResponse:
    raise ZeroDivisionError


def failing_view(request: Any) -> HttpResponse:
    raise ZeroDivisionError


def _failing_handler(self: Any, request: Request) -> Response:
    raise ZeroDivisionError


def _behind_the_middleware(request: Any) -> HttpResponse:
    answer: HttpResponse = ProtectedPaths(failing_view)(request)
    return answer


class Forms(IntrospectionAuthentication):
    bearer_methods = ("header", "body")


FACES = {
    "authentication": protect(get=_failing_handler).as_view(),
    "function": token_required()(failing_view),
    "coroutine": lambda request: asyncio.run(token_required()(failing_async_view)(request)),
    "middleware": _behind_the_middleware,
}


@pytest.mark.requirement("9700-4.9.3-a")
@pytest.mark.parametrize("face", FACES.values(), ids=FACES)
def test_an_error_report_of_a_view_behind_any_face_holds_no_token(
    face: Any, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**authorization_server.settings(), "PROTECTED_PATHS": {"/": {}}}
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {TOKEN}"})

    said = report(lambda: face(request), request)

    assert "ZeroDivisionError" in said
    assert [secret for secret in SECRETS if secret in said] == []


def test_an_error_report_holds_no_token_of_a_form(authorization_server: MisbehavingServer) -> None:
    request = RequestFactory().post("/", f"access_token={TOKEN}&colour=green", content_type=FORM)
    view = protect(authentication_classes=[Forms], post=_failing_handler).as_view()

    said = report(lambda: view(request), request)

    assert "green" in said
    assert TOKEN not in said
