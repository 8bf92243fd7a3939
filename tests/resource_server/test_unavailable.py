"""An answer that is none, or never comes: 503, and nothing about the token (RFC 7662 §4, fail closed)."""

from __future__ import annotations

import logging
import tracemalloc
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.protocol.introspection import MAX_RESPONSE
from tests.misbehaving.behaviours import BROKEN, HANGING
from tests.misbehaving.server import MisbehavingServer, refusing_url, remote_settings, silent_url

from .protected import TOKEN, ask, assert_refused, assert_unavailable, protect

SHORT = 0.3
"""Seconds; a server that hangs does so until the test ends, so that a call that returns has ended itself."""


@pytest.mark.requirement("7662-2.2-p", "7662-2.3-d")
@pytest.mark.parametrize("behaviour", BROKEN)
def test_a_broken_answer_is_503_and_the_view_does_not_run(
    behaviour: str, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    view = protect()
    authorization_server.behave(behaviour)

    with caplog.at_level(logging.DEBUG, logger="django_introspection"):
        response = ask(view, TOKEN)

    assert_unavailable(response, view)
    assert TOKEN not in response.content.decode() + caplog.text
    assert {record.exc_info for record in caplog.records if record.name == "django_introspection"} == {None}
    assert "Timeout" not in caplog.text, "the server answers at once; the deadline must not be what ends the call"


@pytest.mark.requirement("7662-2.2-p", "7662-2.3-d")
@pytest.mark.parametrize("behaviour", BROKEN)
def test_a_broken_answer_is_not_an_answer_for_async_callers(
    behaviour: str, authorization_server: MisbehavingServer
) -> None:
    authorization_server.behave(behaviour)

    with pytest.raises(IntrospectionUnavailable) as raised:
        async_to_sync(aintrospect)(TOKEN)

    assert "Timeout" not in str(raised.value)
    assert raised.value.retry_after > 0


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("behaviour", HANGING)
def test_a_server_that_never_finishes_is_503_within_the_timeout(
    behaviour: str, authorization_server: MisbehavingServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=SHORT)
    view = protect()
    authorization_server.behave(behaviour)

    response = ask(view, TOKEN)

    assert_unavailable(response, view)
    assert "Timeout" in caplog.text
    assert not authorization_server.released.is_set()


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("behaviour", HANGING)
def test_a_server_that_never_finishes_does_not_hold_async_callers(
    behaviour: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=SHORT)
    authorization_server.behave(behaviour)

    with pytest.raises(IntrospectionUnavailable, match="Timeout"):
        async_to_sync(aintrospect)(TOKEN)

    assert not authorization_server.released.is_set()


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_accepts_and_says_nothing_is_503_within_the_timeout(scheme: str, settings: Any) -> None:
    view = protect()
    with silent_url(scheme) as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url, timeout=SHORT)

        response = ask(view, TOKEN)
        with pytest.raises(IntrospectionUnavailable, match="Timeout"):
            async_to_sync(aintrospect)(TOKEN)

    assert_unavailable(response, view)


@pytest.mark.requirement("7662-2.3-d")
def test_a_server_that_refuses_connections_is_503(settings: Any) -> None:
    view = protect()
    with refusing_url() as url:
        settings.TOKEN_INTROSPECTION = remote_settings(url)

        response = ask(view, TOKEN)
        with pytest.raises(IntrospectionUnavailable, match="ConnectError"):
            async_to_sync(aintrospect)(TOKEN)

    assert_unavailable(response, view)


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("host", ["nowhere.invalid", "empty..label", f"{'long' * 16}.example"])
def test_a_server_without_an_address_is_503(host: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = remote_settings(f"https://{host}/introspect")
    view = protect()

    response = ask(view, TOKEN)
    with pytest.raises(IntrospectionUnavailable):
        async_to_sync(aintrospect)(TOKEN)

    assert_unavailable(response, view)


@pytest.mark.requirement("7662-2.3-d")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_503_and_nobody_else_hears_of_the_token(
    code: int, authorization_server: MisbehavingServer
) -> None:
    view = protect()
    with MisbehavingServer("active") as elsewhere:
        authorization_server.behave("status", code=code, headers=(f"Location: {elsewhere.url}",))

        response = ask(view, TOKEN)
        with pytest.raises(IntrospectionUnavailable, match=str(code)):
            async_to_sync(aintrospect)(TOKEN)

        assert elsewhere.connections == 0
    assert_unavailable(response, view)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("wish", "passed_on"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("86400", 30, id="a day is cut short"),
        pytest.param("0", 1, id="at once is still a wait"),
        pytest.param("9" * 5000, 30, id="five thousand digits"),
        pytest.param("-1", 5, id="negative"),
        pytest.param("1.5", 5, id="fraction"),
        pytest.param("soon", 5, id="nonsense"),
        pytest.param("", 5, id="empty"),
        pytest.param("Wed, 21 Oct 2099 07:28:00 GMT", 5, id="date"),
    ],
)
def test_the_wait_that_a_busy_server_asks_for_is_passed_on_within_bounds(
    code: int, wish: str, passed_on: int, authorization_server: MisbehavingServer
) -> None:
    view = protect()
    authorization_server.behave("status", code=code, headers=(f"Retry-After: {wish}",))

    response = ask(view, TOKEN)

    assert_unavailable(response, view)
    assert response["Retry-After"] == str(passed_on)


@pytest.mark.requirement("7662-2.2-p", "7662-2.3-d")
def test_a_failure_is_not_remembered(authorization_server: MisbehavingServer) -> None:
    view = protect()
    authorization_server.behave("status 500")
    ask(view, TOKEN)
    authorization_server.behave("active")

    assert ask(view, TOKEN).status_code == 200


def test_a_failure_on_an_open_view_is_503_too(authorization_server: MisbehavingServer) -> None:
    view = protect(permission_classes=[])
    authorization_server.behave("status 500")

    assert_unavailable(ask(view, TOKEN), view)


REFUSALS = [(401, b"{}"), (400, b'{"error": "invalid_client"}'), (403, b'{"error": "unauthorized_client"}')]


@pytest.mark.parametrize(("code", "content"), REFUSALS)
def test_a_server_that_refuses_us_is_reported_to_the_operator(
    code: int, content: bytes, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    authorization_server.behave("status", code=code, content=content)

    with pytest.raises(IntrospectionUnavailable, match="refuses this resource server"):
        introspect(TOKEN)
    ask(protect(), TOKEN)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"credentials refused backend=default: the authorization server refuses this resource server: {code}"
    ]


INVALID_TOKEN = b'{"error": "invalid_token"}'
BEARER = {"auth_method": "bearer", "bearer_token": "our-own"}
NONE = {"auth_method": "none"}


def alarms(options: dict[str, Any], server: MisbehavingServer, settings: Any, caplog: Any) -> tuple[int, int]:
    """Return the status of a view, and the number of errors in the log."""
    settings.TOKEN_INTROSPECTION = server.settings(**options)
    if "auth_method" in options:
        del settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"]["client_secret"]
    response = ask(protect(), TOKEN)
    return response.status_code, len([record for record in caplog.records if record.levelname == "ERROR"])


@pytest.mark.parametrize(
    ("options", "code", "content", "headers"),
    [
        pytest.param({}, 401, INVALID_TOKEN, (), id="Authlib"),
        pytest.param({}, 401, INVALID_TOKEN, ('WWW-Authenticate: Bearer error="invalid_token"',), id="with challenge"),
        pytest.param(NONE, 401, b"", (), id="Kanidm"),
        pytest.param(NONE, 400, b'{"error": "invalid_request"}', (), id="Kanidm, ID token"),
    ],
)
def test_a_refusal_of_the_token_is_none_of_the_credentials(
    options: dict[str, Any],
    code: int,
    content: bytes,
    headers: tuple[str, ...],
    authorization_server: MisbehavingServer,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authorization_server.behave("status", code=code, content=content, headers=headers)

    assert alarms(options, authorization_server, settings, caplog) == (401, 0)


@pytest.mark.parametrize(
    ("options", "content", "headers"),
    [
        pytest.param(BEARER, INVALID_TOKEN, (), id="our token may be meant"),
        pytest.param({}, b'{"error": ["invalid_token"]}', (), id="no code"),
        pytest.param(NONE, b"", ("WWW-Authenticate: Basic",), id="credentials are asked for"),
        pytest.param(NONE, b'{"error": "invalid_client"}', (), id="a client is missed"),
    ],
)
def test_401_that_can_mean_the_credentials_raises_the_alarm(
    options: dict[str, Any],
    content: bytes,
    headers: tuple[str, ...],
    authorization_server: MisbehavingServer,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authorization_server.behave("status", code=401, content=content, headers=headers)

    assert alarms(options, authorization_server, settings, caplog) == (503, 1)


@pytest.mark.parametrize("code", [400, 403])
@pytest.mark.parametrize(
    "content", [b"{}", b"<html>", b'{"error": "invalid_request"}', b'{"error": ["invalid_client"]}']
)
def test_a_refusal_of_one_question_does_not_blame_the_credentials(
    code: int, content: bytes, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = {"name": "status", "arguments": {"code": code, "content": content}}
    authorization_server.behave("answers some tokens in another way", prefix=TOKEN, **refusal)

    with pytest.raises(IntrospectionUnavailable, match=f"refuses the question: {code}"):
        introspect(TOKEN)
    ask(protect(), TOKEN)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
    asked = [request.form["token"][0] == TOKEN for request in authorization_server.requests]
    assert asked == ([True, False, True] if code == 403 else [True, True])


@pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
def test_403_to_every_question_is_reported_to_the_operator(
    call: Any, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    """django-oauth-toolkit answers 403 without a body to wrong credentials."""
    authorization_server.behave("status", code=403, content=b"")

    for _ in range(3):
        with pytest.raises(IntrospectionUnavailable, match="refuses the question: 403"):
            call(TOKEN)

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "credentials refused backend=default: the authorization server refuses a random token as well"
    ]
    assert len(authorization_server.requests) == 4


def test_a_type_of_token_that_the_server_never_introspects_is_rejected(
    authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    """node oidc-provider answers so about every JWT (RFC 7009 §2.2.1)."""
    authorization_server.behave("status", code=400, content=b'{"error": "unsupported_token_type"}')
    caplog.set_level("INFO")

    response = ask(protect(), TOKEN)

    assert_refused(response, 401, "invalid_token")
    assert "does not introspect this type of token" in caplog.text


@pytest.mark.parametrize(
    "behaviour", ["body over the limit", "chunked body without an end", "headers without an end", "drips its body"]
)
def test_no_answer_however_long_takes_much_memory(
    behaviour: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(timeout=1)
    authorization_server.behave(behaviour)
    tracemalloc.start()
    try:
        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * MAX_RESPONSE
