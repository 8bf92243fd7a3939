"""Text from outside is read in a time that grows with its length: no regular expression goes back and forth in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from django_introspection.addresses import client_address
from django_introspection.admin.debugger_form import DebuggerForm, token_in
from django_introspection.protocol.certificate import FORMS, read_header
from django_introspection.protocol.credentials import parse_credentials
from django_introspection.protocol.errors import OAuthError, error_text
from django_introspection.protocol.form import Form, parse_form
from django_introspection.protocol.jwt import parse_jwt
from django_introspection.protocol.opaque import may_be_token
from django_introspection.protocol.paths import path_readings
from django_introspection.protocol.scope import parse_scope
from django_introspection.resource_server.extraction import MalformedRequest, MalformedToken, sent_token
from django_introspection.testing.challenges import parse_challenges

LENGTH = 60_000
SECONDS = 1.0
"""CPU time for one text. A linear reader takes milliseconds, and one that starts anew at each place ten times this."""


def _request(**headers: str) -> HttpRequest:
    return RequestFactory().get("/", **{f"HTTP_{name}": value for name, value in headers.items()})  # type: ignore[arg-type]  # the names of META


def _in_debugger(text: str) -> Any:
    return DebuggerForm({"token": text, "backend": "default"}).errors


def _in_header(text: str) -> Any:
    return sent_token(_request(AUTHORIZATION=f"Bearer {text}"), ("header",), ("Bearer",))


def _behind_a_proxy(text: str) -> Any:
    return client_address(_request(X_FORWARDED_FOR=text))


def _as_credentials(text: str) -> Any:
    return [parse_credentials(f"{scheme} {text}", Form({})) for scheme in ("Basic", "Bearer")]


def _as_certificate(text: str) -> Any:
    for form in FORMS:
        with suppress(ValueError):
            read_header(form, text)
    return read_header("envoy", f"Cert={text}")


READERS: list[Callable[[str], Any]] = [
    token_in,
    _in_debugger,
    _in_header,
    _behind_a_proxy,
    _as_credentials,
    may_be_token,
    parse_scope,
    parse_jwt,
    error_text,
    parse_challenges,
    lambda text: parse_form("application/x-www-form-urlencoded", text.encode()),
    lambda text: list(path_readings(f"/{text}")),
    _as_certificate,
]
RUNS = [
    "'",
    " ",
    "\t",
    "=",
    "a",
    "a ",
    "/",
    "/.",
    ";",
    ",",
    ".",
    "1.",
    ":",
    "[",
    "\\",
    "%25",
    "a=",
    "\u201c",
    "Bearer ",
]

REFUSALS = (ValueError, OAuthError, MalformedRequest, MalformedToken)


@pytest.fixture(autouse=True)
def _behind_trusted_proxies(settings: Any, db: None) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "TRUSTED_PROXIES": ["127.0.0.1", "0.0.0.0/0"]}


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_a_text_of_any_shape_is_read_in_linear_time(read: Callable[[str], Any]) -> None:
    for run in RUNS:
        long = run * (LENGTH // len(run))
        for text in (long, f"a{long}a", f"{long}\x00"):
            start = time.thread_time()
            with suppress(*REFUSALS):
                read(text)
            assert time.thread_time() - start < SECONDS, f"slow with a run of {run!r}"
