"""The token of a request, exchanged for one that another API accepts (RFC 8693)."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection.backends import alarm
from django_introspection.exceptions import ExchangeRefused, IntrospectionUnavailable, InvalidResponse, InvalidSetting
from django_introspection.outbound.token_response import CredentialsRefused
from django_introspection.services import aexchange_token, exchange_token, service_token
from tests.misbehaving.server import CLIENT_SECRET, MisbehavingServer
from tests.resource_server.test_secrecy import report

from .conftest import ALIAS, TOKEN_PATH, configure, options

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TYPE = "urn:ietf:params:oauth:token-type:"
TOKEN = "-".join(["token", "of", "the", "request"])
CALLS = pytest.mark.parametrize("call", [exchange_token, async_to_sync(aexchange_token)], ids=["sync", "async"])


@pytest.fixture
def exchanged(token_server: MisbehavingServer, settings: Any) -> list[str]:
    """What the token endpoint issued."""
    values: list[str] = []
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=values, issued_token_type=f"{TYPE}access_token")
    configure(settings, token_server, grant_type=EXCHANGE)
    return values


def refuse(server: MisbehavingServer, code: int, **members: Any) -> None:
    server.behave("status", at=TOKEN_PATH, code=code, content=json.dumps(members).encode())


@CALLS
def test_a_token_is_exchanged(call: Any, exchanged: list[str], token_server: MisbehavingServer) -> None:
    token = call(ALIAS, TOKEN)

    assert token.headers == {"Authorization": "Bearer service-token-0"}
    assert token.issued_token_type == f"{TYPE}access_token"
    (request,) = token_server.requests
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.form == {
        "grant_type": [EXCHANGE],
        "subject_token": [TOKEN],
        "subject_token_type": [f"{TYPE}access_token"],
    }


def test_the_request_has_what_the_settings_say(
    exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    own = {"scope": "bills:read", "audience": ["billing", "invoices"], "resource": "https://billing.example.com"}
    types = {"subject_token_type": "urn:example:token", "requested_token_type": f"{TYPE}access_token"}
    configure(settings, token_server, grant_type=EXCHANGE, **own, **types, parameters={"organization": "one"})

    exchange_token(ALIAS, TOKEN)

    assert token_server.requests[0].form == {
        "grant_type": [EXCHANGE],
        "subject_token": [TOKEN],
        "subject_token_type": ["urn:example:token"],
        "requested_token_type": [f"{TYPE}access_token"],
        "scope": ["bills:read"],
        "audience": ["billing", "invoices"],
        "resource": ["https://billing.example.com"],
        "organization": ["one"],
    }


@CALLS
def test_a_call_can_name_its_scope(
    call: Any, exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, token_server, grant_type=EXCHANGE, scope="bills:read bills:write")

    assert call(ALIAS, TOKEN, scope="bills:read").scope == "bills:read"
    assert token_server.requests[0].form["scope"] == ["bills:read"]


def test_the_grant_on_behalf_of_of_microsoft_is_a_matter_of_options(
    exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=exchanged)
    parameters = {"requested_token_use": "on_behalf_of"}
    configure(
        settings, token_server, grant_type=JWT_BEARER, scope="https://graph.example/.default", parameters=parameters
    )

    assert exchange_token(ALIAS, TOKEN).value == exchanged[0]
    assert token_server.requests[0].form == {
        "grant_type": [JWT_BEARER],
        "assertion": [TOKEN],
        "scope": ["https://graph.example/.default"],
        "requested_token_use": ["on_behalf_of"],
    }


class TestActor:
    ACTOR_PATH = "/actor"

    @pytest.fixture(autouse=True)
    def actors(self, exchanged: list[str], token_server: MisbehavingServer, settings: Any) -> list[str]:
        """The tokens of the actor, which come from another place."""
        issued: list[str] = []
        token_server.behave("issues tokens", at=self.ACTOR_PATH, issued=issued)
        settings.TOKEN_INTROSPECTION = {
            "SERVICES": {
                ALIAS: options(token_server, grant_type=EXCHANGE, actor="self"),
                "self": options(token_server, token_url=token_server.origin + self.ACTOR_PATH),
            }
        }
        return issued

    @CALLS
    def test_the_own_token_of_another_entry_names_the_actor(
        self, call: Any, actors: list[str], token_server: MisbehavingServer
    ) -> None:
        call(ALIAS, TOKEN)
        call(ALIAS, TOKEN)

        for request in token_server.requests_at(TOKEN_PATH):
            assert request.form["actor_token"] == [actors[0]]
            assert request.form["actor_token_type"] == [f"{TYPE}access_token"]
        assert len(actors) == 1
        assert service_token("self").value == actors[0]

    def test_an_actor_whose_token_is_refused_gets_another_once_a_minute(
        self, actors: list[str], token_server: MisbehavingServer
    ) -> None:
        """A refusal does not say which of both tokens it is about (RFC 8693 §2.2.2)."""
        refuse(token_server, 400, error="invalid_request")
        for _ in range(3):
            with pytest.raises(ExchangeRefused):
                exchange_token(ALIAS, TOKEN)

        sent = [request.form["actor_token"] for request in token_server.requests_at(TOKEN_PATH)]
        assert sent == [["service-token-0"], *[["service-token-1"]] * 3]
        assert len(actors) == 2

    def test_without_a_token_of_the_actor_nothing_is_exchanged(self, token_server: MisbehavingServer) -> None:
        token_server.behave("status", at=self.ACTOR_PATH, code=500)

        with pytest.raises(IntrospectionUnavailable):
            exchange_token(ALIAS, TOKEN)
        assert token_server.requests_at(TOKEN_PATH) == []

    @pytest.mark.parametrize(
        ("actor", "said"),
        [
            ("nobody", r"\['actor'\] must be an alias of SERVICES"),
            (ALIAS, r"\['actor'\] must be the alias of an entry with the grant_type 'client_credentials'"),
        ],
    )
    def test_a_wrong_actor_is_an_error_of_the_settings(
        self, actor: str, said: str, token_server: MisbehavingServer, settings: Any
    ) -> None:
        configure(settings, token_server, grant_type=EXCHANGE, actor=actor)

        with pytest.raises(InvalidSetting, match=said):
            exchange_token(ALIAS, TOKEN)


@CALLS
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, "invalid_request"),
        (400, "invalid_grant"),
        (400, "invalid_target"),
        (400, "invalid_scope"),
        (403, "access_denied"),
        (401, "invalid_token"),
        (400, "interaction_required"),
    ],
)
def test_a_token_that_the_server_does_not_exchange_is_refused_and_no_outage(
    call: Any,
    code: int,
    error: str,
    exchanged: list[str],
    token_server: MisbehavingServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refuse(token_server, code, error=error, error_description=f"Invalid: {TOKEN}", claims="{}")

    with pytest.raises(ExchangeRefused) as raised:
        call(ALIAS, TOKEN)

    assert raised.value.error == error
    assert raised.value.members["claims"] == "{}"
    assert TOKEN not in f"{raised.value} {raised.value!r} {caplog.text}"
    assert not isinstance(raised.value, IntrospectionUnavailable)
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@CALLS
@pytest.mark.parametrize(
    ("code", "members"),
    [
        (401, {"error": "invalid_client"}),
        (400, {"error": "invalid_client"}),
        (400, {"error": "unauthorized_client"}),
        (400, {"error": "unsupported_grant_type"}),
        (401, {}),
    ],
)
def test_refused_credentials_are_an_alarm_once_a_minute(
    call: Any,
    code: int,
    members: Any,
    exchanged: list[str],
    token_server: MisbehavingServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(alarm, "monotonic", lambda: 1000.0)
    refuse(token_server, code, **members)
    for _ in range(3):
        with pytest.raises(CredentialsRefused, match=str(code)):
            call(ALIAS, TOKEN)

    (error,) = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert f"service={ALIAS}" in error


@pytest.mark.parametrize(
    ("code", "members"),
    [
        (500, {"error": "invalid_request"}),
        (503, {}),
        (302, {}),
        (400, {}),
        (403, {"error": ["invalid_request"]}),
        (400, {"error": "a b"}),
        (400, {"error": "e" * 1000}),
        (400, {"error": "temporarily_unavailable"}),
    ],
    ids=str,
)
def test_anything_else_is_an_outage(
    code: int, members: Any, exchanged: list[str], token_server: MisbehavingServer
) -> None:
    refuse(token_server, code, **members)

    with pytest.raises(IntrospectionUnavailable) as raised:
        exchange_token(ALIAS, TOKEN)
    assert not isinstance(raised.value, CredentialsRefused)


@pytest.mark.parametrize(
    "members",
    [
        {"token_type": "N_A"},
        {"token_type": "DPoP"},
        {"issued_token_type": f"{TYPE}id_token"},
        {"issued_token_type": f"{TYPE}refresh_token"},
        {"issued_token_type": 7},
        {"access_token": ""},
        {"expires_in": 0},
    ],
    ids=str,
)
def test_a_response_without_a_token_for_an_api_is_no_token(
    members: Any, exchanged: list[str], token_server: MisbehavingServer
) -> None:
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=exchanged, **members)

    with pytest.raises(InvalidResponse):
        exchange_token(ALIAS, TOKEN)


def test_another_type_of_token_is_returned_if_it_was_requested_and_has_no_headers(
    exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    saml = f"{TYPE}saml2"
    configure(settings, token_server, grant_type=EXCHANGE, requested_token_type=saml)
    with pytest.raises(InvalidResponse, match="another type"):
        exchange_token(ALIAS, TOKEN)
    token_server.behave("issues tokens", at=TOKEN_PATH, issued=exchanged, token_type="N_A", issued_token_type=saml)

    token = exchange_token(ALIAS, TOKEN)

    assert token.value == exchanged[-1]
    with pytest.raises(ValueError, match="not for an Authorization header"):
        token.headers  # noqa: B018 - reading it is the test


def test_nothing_is_kept_by_default(exchanged: list[str]) -> None:
    assert exchange_token(ALIAS, TOKEN) != exchange_token(ALIAS, TOKEN)


class TestMaxAge:
    @pytest.fixture(autouse=True)
    def keeping(self, exchanged: list[str], token_server: MisbehavingServer, settings: Any) -> None:
        configure(settings, token_server, grant_type=EXCHANGE, max_age=60)

    @CALLS
    def test_a_token_is_kept_so_long_and_no_longer(self, call: Any, exchanged: list[str]) -> None:
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            first = call(ALIAS, TOKEN)
            clock.shift(59)
            assert call(ALIAS, TOKEN) == first
            clock.shift(1)
            assert call(ALIAS, TOKEN) != first
        assert len(exchanged) == 2

    def test_no_token_is_kept_until_its_end(self, exchanged: list[str], token_server: MisbehavingServer) -> None:
        token_server.behave("issues tokens", at=TOKEN_PATH, issued=exchanged, expires_in=40)
        with time_machine.travel(1_900_000_000, tick=False) as clock:
            first = exchange_token(ALIAS, TOKEN)
            clock.shift(19)
            assert exchange_token(ALIAS, TOKEN) == first
            clock.shift(1)
            assert exchange_token(ALIAS, TOKEN) != first

    def test_each_token_and_each_scope_has_its_own(self, exchanged: list[str]) -> None:
        found = [exchange_token(ALIAS, token, scope=scope) for token in ("a", "b") for scope in (None, "x")]

        assert len({token.value for token in found}) == 4
        assert exchange_token(ALIAS, "a") == found[0]

    def test_a_token_that_the_api_refuses_is_not_returned_again(self, exchanged: list[str]) -> None:
        first = exchange_token(ALIAS, TOKEN)
        second = exchange_token(ALIAS, TOKEN, other_than=first)

        assert second != first
        assert exchange_token(ALIAS, TOKEN) == second

    def test_a_refusal_is_not_kept(self, exchanged: list[str], token_server: MisbehavingServer) -> None:
        refuse(token_server, 400, error="invalid_grant")
        with pytest.raises(ExchangeRefused):
            exchange_token(ALIAS, TOKEN)
        token_server.behave("issues tokens", at=TOKEN_PATH, issued=exchanged)

        assert exchange_token(ALIAS, TOKEN)

    def test_the_number_of_kept_tokens_has_a_limit(self, exchanged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django_introspection.services.kept_tokens.ENTRIES", 2)
        first = exchange_token(ALIAS, "a")
        for token in ("b", "c"):
            exchange_token(ALIAS, token)

        assert exchange_token(ALIAS, "a") != first


def test_threads_that_come_at_once_with_one_token_share_an_exchange(
    exchanged: list[str], token_server: MisbehavingServer
) -> None:
    """The one under way when they come may be older than a revocation, so they share the next one."""
    told, together = threading.Event(), threading.Barrier(50)
    token_server.behave("answers when told", at=TOKEN_PATH, told=told, access_token="one")

    def call() -> str:
        together.wait()
        return exchange_token(ALIAS, TOKEN).value

    with ThreadPoolExecutor(50) as pool:
        first = pool.submit(exchange_token, ALIAS, TOKEN)
        token_server.hanging.wait(5)
        others = [pool.submit(call) for _ in range(49)]
        together.wait()
        told.set()

    assert {first.result().value, *(each.result() for each in others)} == {"one"}
    assert len(token_server.requests) < 25


def test_callers_that_share_a_refusal_get_an_error_of_their_own(
    exchanged: list[str], token_server: MisbehavingServer
) -> None:
    refuse(token_server, 400, error="invalid_grant")

    async def many() -> list[Any]:
        return await asyncio.gather(*(aexchange_token(ALIAS, TOKEN) for _ in range(50)), return_exceptions=True)

    refusals = asyncio.run(many())

    assert {refusal.error for refusal in refusals} == {"invalid_grant"}
    assert len({id(refusal) for refusal in refusals}) == 50
    assert len(token_server.requests) == 2


def test_fifty_tasks_with_one_token_share_two_exchanges(exchanged: list[str]) -> None:
    async def many() -> set[str]:
        return {token.value for token in await asyncio.gather(*(aexchange_token(ALIAS, TOKEN) for _ in range(50)))}

    assert asyncio.run(many()) == set(exchanged)
    assert len(exchanged) == 2


@CALLS
def test_a_server_that_hangs_holds_a_caller_no_longer_than_the_timeout(
    call: Any, exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, token_server, grant_type=EXCHANGE, timeout=0.2)
    token_server.behave("hangs before the answer", at=TOKEN_PATH)

    with pytest.raises(IntrospectionUnavailable):
        call(ALIAS, TOKEN)
    assert not token_server.released.is_set()


@CALLS
@pytest.mark.parametrize("behaviour", ["status 500", "HTML", "resets before the answer", "status 401"])
def test_neither_token_nor_secret_is_in_an_error_report(
    call: Any, behaviour: str, exchanged: list[str], token_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    value = call(ALIAS, TOKEN)
    token_server.behave(behaviour, at=TOKEN_PATH)

    said = report(lambda: call(ALIAS, TOKEN)) + caplog.text + repr(value) + str(value)

    assert not any(secret in said for secret in [TOKEN, *exchanged, CLIENT_SECRET, CLIENT_SECRET.replace(" ", "+")])


@pytest.mark.parametrize("token", ["", "a\x00b", "\ud800", "dit_at_broken"])
def test_a_value_that_is_no_token_is_refused_without_a_request(
    token: str, exchanged: list[str], token_server: MisbehavingServer
) -> None:
    with pytest.raises(ExchangeRefused, match="invalid_request"):
        exchange_token(ALIAS, token)
    assert token_server.requests == []


def test_an_entry_for_own_tokens_exchanges_none(issued: list[str], token_server: MisbehavingServer) -> None:
    with pytest.raises(InvalidSetting, match=r"\['grant_type'\] must be '.*token-exchange' or '.*jwt-bearer' for"):
        exchange_token(ALIAS, TOKEN)
    assert token_server.requests == []


@CALLS
def test_a_token_that_the_api_refused_is_not_given_again(
    call: Any, exchanged: list[str], token_server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, token_server, grant_type=EXCHANGE, max_age=60)
    refused = call(ALIAS, TOKEN)
    assert call(ALIAS, TOKEN).value == refused.value

    assert call(ALIAS, TOKEN, other_than=refused).value != refused.value
