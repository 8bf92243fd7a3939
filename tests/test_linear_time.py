"""Text from outside is read in a time that grows with its length: no regular expression goes back and forth in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from django_introspection.addresses import client_address
from django_introspection.admin.debugger_form import DebuggerForm, token_in
from django_introspection.backends.entry import decode, seal_of
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.outbound.discovery import read_metadata
from django_introspection.outbound.jwks import read_keys
from django_introspection.outbound.messages import Reply
from django_introspection.outbound.token_response import read_token
from django_introspection.protocol.authorization_details import parse_details
from django_introspection.protocol.certificate import FORMS, read_header
from django_introspection.protocol.credentials import parse_credentials
from django_introspection.protocol.dpop import normal_uri, read_proof
from django_introspection.protocol.errors import OAuthError, error_text
from django_introspection.protocol.form import Form, parse_form
from django_introspection.protocol.introspection import parse_response
from django_introspection.protocol.jwt import encryption_header, parse_jwt
from django_introspection.protocol.opaque import TokenPrefix, kind_of, loggable_identifier
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


def _as_proof(text: str) -> Any:
    return [read_proof(text), normal_uri(f"https://a.example/{text}")]


def _as_reply(text: str) -> Any:
    """Read a text as the body of each reply that another server can send, and as a member of it."""
    for body in (text, json.dumps({"active": True, "issuer": "i", "access_token": text, "scope": text, "aud": text})):
        reply = Reply(200, {}, body.encode())
        for read in (
            lambda reply=reply: parse_response("application/json", reply.body),
            lambda reply=reply: read_metadata(reply, "i"),
            lambda reply=reply: read_keys(reply),
            lambda reply=reply: read_token(reply, asked_at=0, scope=None),
        ):
            with suppress(IntrospectionUnavailable):
                read()


def _as_encrypted(text: str) -> Any:
    with suppress(ValueError):
        encryption_header(text)
    return encryption_header(f"{text}.{text}.{text}.{text}.{text}")


def _as_entry(text: str) -> Any:
    seal = seal_of("backend")
    return [decode(text, "digest", "generation", seal), decode(f"{'0' * 64}{text}", "digest", "generation", seal)]


READERS: list[Callable[[str], Any]] = [
    token_in,
    _in_debugger,
    _in_header,
    _behind_a_proxy,
    _as_credentials,
    TokenPrefix("acme").may_be_token,
    kind_of,
    loggable_identifier,
    parse_scope,
    parse_jwt,
    error_text,
    parse_challenges,
    lambda text: parse_form("application/x-www-form-urlencoded", text.encode()),
    lambda text: list(path_readings(f"/{text}")),
    _as_certificate,
    _as_proof,
    _as_reply,
    _as_encrypted,
    _as_entry,
    parse_details,
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
    "{",
    '{"a":',
    '"\\ud800',
    "9",
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
