"""The project's own tokens for other APIs: fetched once, kept, renewed, and shown nowhere."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection.backends import alarm
from django_introspection.exceptions import IntrospectionUnavailable, InvalidSetting, UnknownService
from django_introspection.outbound import service_token as outbound
from django_introspection.outbound.token_response import CredentialsRefused
from django_introspection.services import ObtainedToken, aservice_token, service_token
from django_introspection.signals import credentials_refused
from tests import jose
from tests.backends.issuers import publish
from tests.misbehaving.server import CLIENT_SECRET, MisbehavingServer
from tests.outbound import renewals
from tests.resource_server.test_secrecy import report

from .conftest import ALIAS, TOKEN_PATH, configure

CALLS = pytest.mark.parametrize("call", [service_token, async_to_sync(aservice_token)], ids=["sync", "async"])
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@CALLS
def test_a_token_is_fetched_once_and_kept(call: Any, issued: list[str], token_server: MisbehavingServer) -> None:
    tokens = [call(ALIAS) for _ in range(3)]

    assert [token.value for token in tokens] == issued * 3
    assert tokens[0].headers == {"Authorization": "Bearer service-token-0"}
    (request,) = token_server.requests
    assert request.form == {"grant_type": ["client_credentials"]}
    assert request.headers["Authorization"].startswith("Basic ")


def test_the_request_names_scope_audience_resource_and_further_parameters(
    issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    resources = ["https://billing.example.com", "https://invoices.example.com"]
    further = {"audience": "billing", "resource": resources, "parameters": {"tenant": "one"}}
    configure(settings, token_server, scope="bills:read", **further)

    token = service_token(ALIAS)

    (request,) = token_server.requests
    assert request.form == {
        "grant_type": ["client_credentials"],
        "scope": ["bills:read"],
        "audience": ["billing"],
        "resource": resources,
        "tenant": ["one"],
    }
    assert token.scope == "bills:read"


def test_the_token_says_what_the_response_says(issued: list[str], token_server: MisbehavingServer) -> None:
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=issued, expires_in=60, scope="less")
    with time_machine.travel(1_900_000_000, tick=False):
        token = service_token(ALIAS)

    assert token == ObtainedToken("service-token-0", datetime.fromtimestamp(1_900_000_060, UTC), "less")


def test_the_endpoint_is_found_by_discovery(issued: list[str], token_server: MisbehavingServer, settings: Any) -> None:
    publish(token_server, token_endpoint=token_server.origin + TOKEN_PATH)
    configure(settings, token_server, token_url=None, issuer=token_server.origin)

    assert service_token(ALIAS).value == issued[0]


def test_a_client_can_authenticate_by_its_key(
    issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    key = {"auth_method": "private_key_jwt", "private_key": {"KEY": jose.private("ES256")}, "client_secret": None}
    configure(settings, token_server, issuer="https://auth.example.com", **key)

    assert service_token(ALIAS)
    assert "client_assertion" in token_server.requests[0].form


def test_headers_of_the_settings_go_with_the_request(
    issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, token_server, headers={"X-Tenant": "one"})

    assert service_token(ALIAS)
    assert token_server.requests[0].headers["X-Tenant"] == "one"


def test_fifty_threads_fetch_one_token(issued: list[str]) -> None:
    together = threading.Barrier(50)

    def call(_: int) -> str:
        together.wait()
        return service_token(ALIAS).value

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(call, range(50)))

    assert found == {"service-token-0"}
    assert len(issued) == 1


def test_fifty_tasks_fetch_one_token(issued: list[str]) -> None:
    async def many() -> set[str]:
        return {token.value for token in await asyncio.gather(*(aservice_token(ALIAS) for _ in range(50)))}

    assert asyncio.run(many()) == {"service-token-0"}
    assert len(issued) == 1


@CALLS
def test_it_is_renewed_before_its_end(call: Any, issued: list[str]) -> None:
    call(ALIAS)
    with time_machine.travel(time.time() + 3600 - outbound.MARGIN):
        call(ALIAS)
        renewals.finish()

        assert call(ALIAS).value == "service-token-1"
    assert len(issued) == 2


@CALLS
def test_one_that_has_expired_is_never_returned(call: Any, issued: list[str]) -> None:
    call(ALIAS)
    with time_machine.travel(time.time() + 3601):
        assert call(ALIAS).value == "service-token-1"


@CALLS
def test_while_the_server_is_down_the_kept_token_serves_until_its_end(
    call: Any, issued: list[str], token_server: MisbehavingServer
) -> None:
    start = time.time()
    call(ALIAS)
    token_server.behave("status", at=TOKEN_PATH, code=500)

    with time_machine.travel(start + 3590):
        assert call(ALIAS).value == issued[0]
        renewals.finish()
    with time_machine.travel(start + 3700), pytest.raises(IntrospectionUnavailable, match="500"):
        call(ALIAS)


@CALLS
def test_a_server_that_hangs_holds_a_caller_no_longer_than_the_timeout(
    call: Any, issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    """The server hangs until the test ends: a call that returns has not waited for it."""
    configure(settings, token_server, timeout=0.2)
    token_server.behave("hangs before the answer", at=TOKEN_PATH)

    with pytest.raises(IntrospectionUnavailable):
        call(ALIAS)
    assert not token_server.released.is_set()


def test_a_busy_server_names_the_pause(issued: list[str], token_server: MisbehavingServer) -> None:
    token_server.behave("status 429", at=TOKEN_PATH)

    with pytest.raises(IntrospectionUnavailable) as raised:
        service_token(ALIAS)

    assert raised.value.retry_after == 7


@pytest.mark.parametrize("code", [400, 401, 403])
@CALLS
def test_refused_credentials_are_an_alarm_and_no_loop(
    call: Any,
    code: int,
    issued: list[str],
    token_server: MisbehavingServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(alarm, "monotonic", lambda: clock[0])
    signals: list[Any] = []

    def receive(**event: Any) -> None:
        signals.append((event["backend"], event["service"], event["detail"]))

    credentials_refused.connect(receive)
    token_server.behave("status", at=TOKEN_PATH, code=code, content=b'{"error": "invalid_client"}')
    for seconds in (0, 1, 58, 1):
        clock[0] += seconds
        with pytest.raises(CredentialsRefused, match=f"{code} invalid_client"):
            call(ALIAS)

    assert len(token_server.requests) == 1
    assert signals == [(None, ALIAS, f"the token endpoint refuses this client: {code} invalid_client")] * 2
    errors = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert len(errors) == 2
    assert f"service={ALIAS}" in errors[0]


@CALLS
def test_a_token_that_the_api_refuses_is_replaced_at_once_and_then_not_for_a_minute(
    call: Any, issued: list[str]
) -> None:
    first = call(ALIAS)
    second = call(ALIAS, other_than=first)

    assert second.value == "service-token-1"
    assert call(ALIAS, other_than=first) == second
    for _ in range(3):
        with pytest.raises(IntrospectionUnavailable):
            call(ALIAS, other_than=second)
    assert call(ALIAS) == second, "the other questions still get an answer"
    assert len(issued) == 2


def test_fifty_threads_whose_token_is_refused_replace_it_once(issued: list[str]) -> None:
    first, together = service_token(ALIAS), threading.Barrier(50)

    def call(_: int) -> str:
        together.wait()
        return service_token(ALIAS, other_than=first).value

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(call, range(50))) == {"service-token-1"}
    assert len(issued) == 2


@CALLS
def test_neither_the_token_nor_the_secret_is_shown(
    call: Any, issued: list[str], token_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    token = call(ALIAS)
    shown = f"{token} {token!r} {[token]}"
    token_server.behave("status", at=TOKEN_PATH, code=500)
    with time_machine.travel(time.time() + 3700):
        said = report(lambda: call(ALIAS))

    secrets = [*issued, CLIENT_SECRET, CLIENT_SECRET.replace(" ", "+")]
    assert not any(secret in shown + said + caplog.text for secret in secrets)


def test_changed_settings_mean_another_token(issued: list[str], token_server: MisbehavingServer, settings: Any) -> None:
    service_token(ALIAS)
    configure(settings, token_server, scope="another")

    assert service_token(ALIAS).value == "service-token-1"
    assert token_server.requests[-1].form["scope"] == ["another"]


def test_an_unknown_alias_is_a_key_error_and_an_error_of_the_project(issued: list[str]) -> None:
    with pytest.raises(UnknownService) as raised:
        service_token("biling")

    assert isinstance(raised.value, KeyError)
    message = "TOKEN_INTROSPECTION['SERVICES']['biling'] does not exist (did you mean 'billing'?)."
    assert str(raised.value) == message


def test_an_entry_for_exchanges_has_no_token_of_its_own(
    issued: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, token_server, grant_type=EXCHANGE)

    with pytest.raises(InvalidSetting, match=r"\['billing'\]\['grant_type'\] must be 'client_credentials'"):
        service_token(ALIAS)
    assert token_server.requests == []
