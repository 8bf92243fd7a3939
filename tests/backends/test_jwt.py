"""JWTs verified with the keys of their issuer, which come from real servers that are well, down, slow and hostile."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from joserfc.jws import JWSRegistry

from django_introspection import aintrospect, introspect, revocations, token_backends
from django_introspection.backends import jwt
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.outbound import jwks
from django_introspection.protocol.access_token import REQUIRED_CLAIMS
from django_introspection.protocol.answer import Inactive, Reason
from django_introspection.protocol.errors import RevocationsLost
from django_introspection.protocol.jwt import token_identity
from tests import caches as test_caches
from tests import jose
from tests.backends.issuers import JWKS, OAUTH, access_token, claims, jwt_settings, public, publish
from tests.backends.revocable_token import RevocableToken
from tests.misbehaving.behaviours import BROKEN, HANGING
from tests.misbehaving.server import MisbehavingServer, refusing_url, remote_settings
from tests.outbound import renewals
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def server(settings: Any) -> Iterator[MisbehavingServer]:
    """The issuer, with one key; this project verifies its JWTs."""
    with MisbehavingServer() as running:
        publish(running, public())
        configure(settings, running)
        yield running


def configure(settings: Any, server: MisbehavingServer, **options: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin, **options)}}


@CALLS
def test_a_good_jwt_is_good_and_its_claims_are_the_answer(call: Any, server: MisbehavingServer) -> None:
    said = claims(server.origin, acr="urn:mace:incommon:iap:silver", groups=["a", "b"])
    token = jose.sign({"alg": "ES256", "typ": "at+jwt", "kid": "one"}, said, jose.key("ES256"))

    for _ in range(3):
        info = call(token)
        assert info is not None
        assert info.to_dict() == {"active": True, "token_type": "Bearer", **said}

    assert [request.path for request in server.requests] == [OAUTH, JWKS]


@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_every_algorithm_is_verified(alg: str, server: MisbehavingServer) -> None:
    publish(server, public("one", alg))

    assert introspect(access_token(server.origin, alg=alg))


def test_making_the_backend_asks_nobody(server: MisbehavingServer) -> None:
    token_backends["default"]

    assert server.connections == 0


def test_the_keys_may_be_named_without_discovery(server: MisbehavingServer, settings: Any) -> None:
    issuer = "urn:example:issuer"
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(issuer, jwks_uri=f"{server.origin}{JWKS}")}}

    assert introspect(access_token(issuer))
    assert [request.path for request in server.requests] == [JWKS]


def test_only_the_algorithms_of_the_settings_are_taken(server: MisbehavingServer, settings: Any) -> None:
    publish(server, public("one", "RS256"))
    configure(settings, server, algorithms=["PS256"])

    assert introspect(access_token(server.origin, alg="PS256"))
    assert introspect(access_token(server.origin, alg="RS256")) is None


@pytest.mark.parametrize(
    ("published", "token", "reason", "expected", "found"),
    [
        ({}, {"alg": "ES384"}, "algorithm not accepted", "alg 'ES256', 'RS256' (option algorithms)", "alg 'ES384'"),
        ({}, {"name": "two"}, "signed with an unknown key", "a key of the issuer for alg 'ES256'", "kid 'two'"),
        ({"use": "enc"}, {}, "signed with an unknown key", "a key of the issuer for alg 'ES256'", "kid 'one'"),
        ({}, {"alg": "RS256"}, "signed with an unknown key", "a key of the issuer for alg 'RS256'", "kid 'one'"),
        (
            {},
            {"forged": True},
            "not signed by its issuer",
            "a signature by a key of the issuer",
            "kid 'one', alg 'ES256'",
        ),
    ],
    ids=["algorithm", "kid", "key for another purpose", "key for another algorithm", "signature"],
)
def test_a_refused_signature_says_whether_algorithm_key_or_signature_is_wrong(
    published: dict[str, Any],
    token: dict[str, Any],
    reason: str,
    expected: str,
    found: str,
    server: MisbehavingServer,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    configure(settings, server, algorithms=["ES256", "RS256"])
    publish(server, public(**published))
    is_forged = token.pop("forged", False)
    value = access_token(server.origin, **token)
    if is_forged:
        value = f"{value.rpartition('.')[0]}.{access_token(server.origin, jti='another').rpartition('.')[2]}"

    assert ask(protect(), value).status_code == 401

    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert line == f"access token refused backend=default: {reason}; expected {expected}; found {found}"


LENIENT = {"require_at_jwt": False}
OPAQUE = "not a JWT: opaque or encrypted"
OWN_CLAIMS = "a claim of access tokens: 'appidacr', 'azpacr', 'cid', 'client_id', "


@pytest.mark.parametrize(
    ("token", "options", "line"),
    {
        "typ": (
            {"header": {"typ": "JWT"}},
            {},
            "not an access token; expected header typ 'at+jwt' (option require_at_jwt); found header typ 'JWT'",
        ),
        "no typ": (
            {"without": ["typ"]},
            {},
            "not an access token; expected header typ 'at+jwt' (option require_at_jwt); found no header typ",
        ),
        "typ of another kind": (
            {"header": {"typ": "logout+jwt"}},
            LENIENT,
            "not an access token; expected header typ 'at+jwt', 'JWT' or none; found header typ 'logout+jwt'",
        ),
        "claim of another kind": (
            {"without": ["typ"], "at_hash": "abc"},
            LENIENT,
            "not an access token; expected no claim of another kind of token; found claim 'at_hash'",
        ),
        "kind": (
            {"without": ["typ"], "token_use": "id"},
            LENIENT,
            "not an access token; expected token_type 'Bearer' or 'DPoP'; found token_use 'id'",
        ),
        "nonce": (
            {"without": ["typ"], "nonce": "abc"},
            LENIENT,
            "not an access token; expected no nonce, which is a claim of ID tokens; found claim 'nonce'",
        ),
        "no claim": (
            {"without": ["typ"], "scope": None, "client_id": None},
            LENIENT,
            f"not an access token; expected {OWN_CLAIMS}'gty', 'idtyp', 'permissions', 'scope', 'scp'; found none",
        ),
        "client beside azp": (
            {"without": ["typ"], "scope": None, "azp": "app"},
            LENIENT,
            f"not an access token; expected {OWN_CLAIMS}'gty', 'idtyp', 'permissions', 'scope', 'scp'; "
            "found client_id beside azp, as in an ID token",
        ),
        "missing claims": (
            {"client_id": None, "jti": None},
            {},
            "malformed; expected claims 'aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'sub' (option require_at_jwt); "
            "found no 'client_id', 'jti'",
        ),
        "no exp": ({"exp": None}, LENIENT, "malformed; expected claims 'exp'; found no 'exp'"),
        "type of a claim": ({"exp": "soon"}, {}, "malformed; expected a valid exp; found exp 'soon'"),
    }.values(),
)
def test_the_log_names_the_evidence_that_is_missing(
    token: dict[str, Any], options: dict[str, Any], line: str, server: MisbehavingServer, settings: Any, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")
    configure(settings, server, **options)

    assert ask(protect(), access_token(server.origin, **token)).status_code == 401

    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert lines == [f"access token refused backend=default: {line}"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ory_at_an-opaque-token", OPAQUE),
        ("eyJhbGciOiJkaXIifQ..iv.text.tag", OPAQUE),
        ("eyJhbGciOiJFUzI1NiJ9.e30", OPAQUE),
        ("eyJhbGciOiJFUzI1NiJ9.e31.AAAA", "a malformed JWT: a part is not base64url"),
    ],
    ids=["opaque", "encrypted", "cut off", "damaged"],
)
def test_the_log_says_that_a_token_is_no_signed_jwt(
    value: str, found: str, server: MisbehavingServer, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "django_introspection")

    assert ask(protect(), value).status_code == 401

    (line,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert line.startswith(f"access token refused backend=default: malformed; expected a signed JWT; found {found}")
    assert value not in line
    assert server.connections == 0


@pytest.mark.parametrize("alg", ["HS256", "none", "RS1"])
def test_an_algorithm_that_is_never_accepted_is_named(alg: str, server: MisbehavingServer) -> None:
    value = jose.sign({"alg": "ES256", "typ": "at+jwt"}, claims(server.origin), jose.key("ES256"))
    header = jose.encode(json.dumps({"alg": alg, "typ": "at+jwt"}).encode())

    answer = token_backends["default"].introspect(f"{header}.{value.partition('.')[2]}")

    assert isinstance(answer, Inactive)
    assert (answer.reason, answer.found) == (Reason.ALGORITHM, f"alg '{alg}'")
    assert server.connections == 0, "it is rejected before a key is fetched"


def test_an_algorithm_that_the_library_lacks_is_not_accepted(
    server: MisbehavingServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = access_token(server.origin, alg="Ed448")
    publish(server, public("one", "Ed448"), public("two"))
    monkeypatch.delitem(JWSRegistry.algorithms, "Ed448")

    answer = token_backends["default"].introspect(value)

    assert isinstance(answer, Inactive)
    assert (answer.reason, answer.found) == (Reason.ALGORITHM, "alg 'Ed448'")
    assert "Ed448" not in answer.expected
    assert introspect(access_token(server.origin, name="two"))
    configure(settings, server, algorithms=["Ed448"])
    with pytest.raises(InvalidBackend, match=r"\['algorithms'\] .*joserfc.*Ed448"):
        token_backends["default"]


def test_first_requests_at_once_fetch_the_keys_once(server: MisbehavingServer) -> None:
    token, start, found = access_token(server.origin), threading.Barrier(50), []

    def call() -> None:
        start.wait()
        found.append(introspect(token))

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 50
    assert all(found)
    assert [request.path for request in server.requests] == [OAUTH, JWKS]


def test_first_tasks_at_once_fetch_the_keys_once(server: MisbehavingServer) -> None:
    token = access_token(server.origin)

    async def calls() -> list[Any]:
        return await asyncio.gather(*(aintrospect(token) for _ in range(50)))

    assert all(asyncio.run(calls()))
    assert [request.path for request in server.requests] == [OAUTH, JWKS]


def test_keys_are_changed_without_a_lost_token(server: MisbehavingServer) -> None:
    """Rotation as issuers do it: the new key beside the old one, then signing with it, then the old one goes."""
    with time_machine.travel(START, tick=False) as clock:
        assert introspect(access_token(server.origin))
        publish(server, public(), public("two"))
        assert introspect(access_token(server.origin, name="two"))
        assert introspect(access_token(server.origin))
        assert len(server.requests_at(JWKS)) == 2

        publish(server, public("two"))
        clock.shift(timedelta(seconds=jwks.FRESH))
        assert introspect(access_token(server.origin, name="two"))
        renewals.finish()
        assert introspect(access_token(server.origin)) is None


def test_a_process_that_was_idle_for_hours_does_not_take_a_key_that_was_removed(server: MisbehavingServer) -> None:
    with time_machine.travel(START, tick=False) as clock:
        assert introspect(access_token(server.origin))
        publish(server, public("two"))
        clock.shift(timedelta(seconds=jwks.USABLE_FOR - 1))

        assert introspect(access_token(server.origin)) is None


@pytest.mark.requirement("7517-P")
def test_unknown_keys_cause_one_fetch_in_ten_seconds(server: MisbehavingServer) -> None:
    with time_machine.travel(START, tick=False) as clock:
        assert introspect(access_token(server.origin))
        assert introspect(access_token(server.origin, header={"kid": "x1"})) is None
        clock.shift(timedelta(seconds=1))
        for name in ("x1", "x2", "x3"):
            with pytest.raises(IntrospectionUnavailable):
                introspect(access_token(server.origin, header={"kid": name}))
        assert len(server.requests_at(JWKS)) == 2

        clock.shift(timedelta(seconds=jwks.REPLACE_EVERY))
        assert introspect(access_token(server.origin, header={"kid": "x4"})) is None
        assert len(server.requests_at(JWKS)) == 3


@pytest.mark.requirement("7517-P")
def test_the_last_good_keys_serve_while_the_issuer_is_away(server: MisbehavingServer) -> None:
    with time_machine.travel(START, tick=False) as clock:
        assert introspect(access_token(server.origin))
        server.behave("status", at=JWKS, code=500)
        clock.shift(timedelta(seconds=jwks.USABLE_FOR - 1))
        assert introspect(access_token(server.origin))
        clock.shift(timedelta(seconds=1))
        with pytest.raises(IntrospectionUnavailable):
            introspect(access_token(server.origin))


def test_keys_that_could_not_be_had_at_first_are_tried_again_soon(server: MisbehavingServer) -> None:
    with time_machine.travel(START, tick=False) as clock:
        server.behave("status", at=JWKS, code=500)
        for _ in range(3):
            with pytest.raises(IntrospectionUnavailable):
                introspect(access_token(server.origin))
        assert len(server.requests_at(JWKS)) == 1

        publish(server, public())
        clock.shift(timedelta(seconds=jwt.RETRY))
        assert introspect(access_token(server.origin))


@pytest.mark.requirement("7517-P")
@pytest.mark.parametrize("behaviour", BROKEN)
def test_what_is_no_set_of_keys_never_lets_a_token_in(behaviour: str, server: MisbehavingServer) -> None:
    server.behave(behaviour, at=JWKS)

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(server.origin))


@CALLS
@pytest.mark.parametrize("behaviour", HANGING)
def test_slow_keys_are_waited_for_no_longer_than_the_timeout(
    call: Any, behaviour: str, server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, timeout=0.3)
    server.behave(behaviour, at=JWKS)

    with pytest.raises(IntrospectionUnavailable):
        call(access_token(server.origin))


def test_a_redirect_is_not_followed(server: MisbehavingServer) -> None:
    with MisbehavingServer() as elsewhere:
        publish(elsewhere, public())
        server.behave("status", at=JWKS, code=302, headers=(f"Location: {elsewhere.origin}{JWKS}",))

        with pytest.raises(IntrospectionUnavailable):
            introspect(access_token(server.origin))
        assert elsewhere.connections == 0


def test_an_issuer_that_is_down_is_unavailable(settings: Any) -> None:
    with refusing_url() as url:
        origin = url.rpartition("/")[0]
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(origin)}}

        with pytest.raises(IntrospectionUnavailable):
            introspect(access_token(origin))


def test_a_token_of_somebody_else_causes_no_fetch(server: MisbehavingServer) -> None:
    for token in ("opaque", "a.b.c", access_token("https://else.example"), jose.sign({"alg": "ES256"}, {})):
        assert introspect(token) is None

    assert server.connections == 0


@CALLS
def test_a_tombstone_ends_a_token_however_its_signature_is_written(
    call: Any, server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    token = access_token(server.origin)
    assert call(token)

    revocations.write_tombstones([RevocableToken(token_identity(token), datetime.now(UTC))])

    assert call(token) is None
    assert call(jose.other_signature(token)) is None


@CALLS
def test_tombstones_that_cannot_be_read_let_nothing_in(call: Any, server: MisbehavingServer, settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "tombs": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {"ALIAS": "tombs"}}

    with pytest.raises(IntrospectionUnavailable):
        call(access_token(server.origin))


@pytest.fixture
def counted(settings: Any, server: MisbehavingServer) -> list[str]:
    """Count the calls to the cache of revocations; the keys of the issuer are known already."""
    assert introspect(access_token(server.origin))
    settings.CACHES = {"default": {**test_caches.counting(), "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"]}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    test_caches.CALLS.clear()
    return test_caches.CALLS


def test_tombstone_and_marker_cost_one_call(server: MisbehavingServer, counted: list[str]) -> None:
    assert introspect(access_token(server.origin))

    assert counted == ["get_many"]


@CALLS
def test_a_cache_that_lost_its_data_lets_nothing_in_until_it_is_restored(
    call: Any, server: MisbehavingServer, counted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    revoked, token = access_token(server.origin), access_token(server.origin, sub="another")
    test_caches.empty()

    for value in (token, revoked, token):
        with pytest.raises(RevocationsLost):
            call(value)

    assert len([line for line in caplog.messages if "introspection_token restore-tombstones" in line]) == 1
    revocations.write_tombstones([RevocableToken(token_identity(revoked), datetime.now(UTC))])
    assert call(revoked) is None, "a tombstone counts without the marker"
    revocations.set_markers()
    assert call(token)


UNTYPED = {"no type": {"without": ["typ"]}, "JWT": {"header": {"typ": "JWT"}}, "at+jwt": {}}


@pytest.mark.parametrize("form", UNTYPED.values(), ids=UNTYPED)
def test_access_tokens_without_their_type_are_taken_where_that_is_said(
    form: dict[str, Any], server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, require_at_jwt=False)

    assert introspect(access_token(server.origin, **form))


@pytest.mark.requirement("9068-2.2-a")
@pytest.mark.parametrize("name", sorted(REQUIRED_CLAIMS - {"iss", "exp", "aud"}))
def test_every_claim_of_the_standard_is_required_unless_its_type_is_not(
    name: str, server: MisbehavingServer, settings: Any
) -> None:
    token = access_token(server.origin, **{name: None})

    assert introspect(token) is None
    configure(settings, server, require_at_jwt=False)
    assert introspect(token)


def test_a_typed_access_token_needs_no_other_mark(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server, require_at_jwt=False)

    assert introspect(access_token(server.origin, nonce="n", scope=None, client_id=None))


MARKS: dict[str, dict[str, Any]] = {
    "Keycloak": {"typ": "Bearer", "azp": "app"},
    "Cognito": {"token_use": "access"},
    "Okta": {"scp": ["orders:read"], "cid": "app"},
    "Entra ID, a person": {"scp": "orders:read", "azp": "app"},
    "Azure AD B2C, which repeats the nonce": {"scp": "orders:read", "azp": "app", "nonce": "n"},
    "Entra ID, a machine": {"azp": "app", "azpacr": "1", "roles": ["orders.read"]},
    "Entra ID 1, a machine": {"appid": "app", "appidacr": "1"},
    "Auth0": {"permissions": ["orders:read"], "azp": "app"},
    "ForgeRock": {"tokenName": "access_token"},
    "ZITADEL": {"client_id": "app"},
    "Curity": {"purpose": "access_token"},
    "Casdoor": {"tokenType": "access-token", "nonce": "n"},
    "Oracle": {"tok_type": "AT"},
    "Keycloak 24, whose access tokens repeat the nonce": {"typ": "Bearer", "azp": "app", "nonce": "n"},
}


@pytest.mark.parametrize("marks", MARKS.values(), ids=MARKS)
def test_an_access_token_is_recognised_by_the_claims_of_its_server(
    marks: dict[str, Any], server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, require_at_jwt=False)
    form: dict[str, Any] = {"header": {"typ": "JWT"}, "scope": None, "client_id": None}

    info = introspect(access_token(server.origin, **(form | marks)))

    assert info
    assert info.client_id in ("app", None)
    assert introspect(access_token(server.origin, **form, azp="app", roles=["orders.read"])) is None


OTHER_KINDS: dict[str, dict[str, Any]] = {
    "ID token with nonce": {"nonce": "n"},
    "ID token with nonce and client": {"nonce": "n", "azp": "app"},
    "ID token with at_hash": {"at_hash": "x"},
    "ID token without any mark": {"scope": None, "client_id": None, "azp": "app"},
    "ZITADEL ID token without nonce and access token": {"scope": None, "client_id": "app", "azp": "app"},
    "Keycloak ID token": {"typ": "ID"},
    "Keycloak refresh token": {"typ": "Refresh"},
    "Cognito ID token": {"token_use": "id"},
    "ForgeRock ID token": {"tokenName": "id_token"},
    "Curity refresh token": {"purpose": "refresh_token"},
    "Casdoor refresh token": {"tokenType": "refresh-token"},
    "Oracle ID token": {"tok_type": "IT"},
    "at_hash and a kind": {"typ": "Bearer", "at_hash": "x"},
    "logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    "introspection response": {"token_introspection": {"active": True}},
    "DPoP proof": {"htm": "GET", "htu": "https://api.example.com/"},
    "another scheme": {"token_type": "N_A"},
}


@pytest.mark.requirement("8725-3.12-a")
@pytest.mark.parametrize("changes", OTHER_KINDS.values(), ids=OTHER_KINDS)
@pytest.mark.parametrize("typ", ["JWT", None])
def test_other_kinds_of_jwt_are_refused_also_where_types_are_not_asked(
    typ: str | None, changes: dict[str, Any], server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, require_at_jwt=False)
    form: dict[str, Any] = {"without": ["typ"]} if typ is None else {"header": {"typ": typ}}

    assert introspect(access_token(server.origin, **form))
    assert introspect(access_token(server.origin, **form, **changes)) is None


TYPES = ["dpop+jwt", "token-introspection+jwt", "logout+jwt", "secevent+jwt", "client-authentication+jwt", "id_token"]


@pytest.mark.requirement("8725-3.12-a")
@pytest.mark.parametrize("typ", TYPES)
def test_another_type_is_refused_also_where_types_are_not_asked(
    typ: str, server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, require_at_jwt=False)

    assert introspect(access_token(server.origin, header={"typ": typ})) is None


def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(server: MisbehavingServer) -> None:
    assert introspect(access_token(server.origin, cnf={"jkt": "x"})) is None


@pytest.fixture
def asked(server: MisbehavingServer, settings: Any) -> Iterator[MisbehavingServer]:
    """The server that must agree."""
    with MisbehavingServer("active", aud=AUDIENCE) as running:
        settings.TOKEN_INTROSPECTION = {
            "BACKENDS": {
                "default": jwt_settings(server.origin, then_ask="issuer"),
                "issuer": remote_settings(running.url, audience=AUDIENCE)["BACKENDS"]["default"],
            }
        }
        yield running


@CALLS
def test_a_server_that_is_asked_then_has_the_last_word(
    call: Any, asked: MisbehavingServer, server: MisbehavingServer
) -> None:
    token = access_token(server.origin)
    assert call(token)["sub"] == "alice"
    assert len(asked.requests) == 1

    asked.behave("active", aud="https://api.example.com/other")
    assert call(token) is None
    asked.behave("inactive")
    assert call(token) is None
    asked.behave("status", code=500)
    with pytest.raises(IntrospectionUnavailable):
        call(token)


@CALLS
@pytest.mark.parametrize("cache", ["lost", "broken"])
def test_without_tombstones_the_server_that_is_asked_then_decides_alone(
    call: Any, cache: str, asked: MisbehavingServer, server: MisbehavingServer, settings: Any
) -> None:
    if cache == "broken":
        settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    token = access_token(server.origin)

    assert call(token)
    asked.behave("inactive")
    assert call(token) is None


@CALLS
def test_a_token_that_is_not_good_here_never_reaches_the_server_that_is_asked_then(
    call: Any, asked: MisbehavingServer, server: MisbehavingServer
) -> None:
    good = access_token(server.origin)
    bad = [
        "opaque",
        f"{good}x",
        access_token("https://else.example"),
        access_token(server.origin, header={"typ": "JWT"}),
        access_token(server.origin, exp=int(time.time()) - 3600),
        access_token(server.origin, nbf=int(time.time()) + 3600),
        access_token(server.origin, aud="https://api.example.com/other"),
        access_token(server.origin, cnf={"jkt": "x"}),
        jose.sign({"alg": "ES256", "typ": "at+jwt", "kid": "one"}, claims(server.origin), jose.key("ES256", "two")),
    ]

    assert [call(token) for token in bad] == [None] * len(bad)
    assert asked.connections == 0


WRONG: dict[str, tuple[str, Any]] = {
    "no issuer": ("issuer", None),
    "issuer with a query": ("issuer", "https://a.example?b"),
    "no audience": ("audience", None),
    "plain http": ("jwks_uri", "http://a.example/jwks"),
    "an algorithm that verifies with a secret": ("algorithms", ["HS256"]),
    "no algorithm": ("algorithms", "none"),
    "an alias that is not there": ("then_ask", "nowhere"),
    "itself": ("then_ask", "default"),
    "a timeout that is none": ("timeout", 0),
    "certificates that are not there": ("verify", "/nowhere.pem"),
}


@pytest.mark.parametrize(("name", "value"), WRONG.values(), ids=WRONG)
def test_an_option_that_is_wrong_is_refused_by_its_place(name: str, value: Any, settings: Any) -> None:
    entry = jwt_settings("https://a.example")
    entry["OPTIONS"][name] = value
    if value is None:
        del entry["OPTIONS"][name]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": entry}}

    with pytest.raises(InvalidBackend, match=rf"\['default'\]\['OPTIONS'\]\['{name}'\]"):
        token_backends["default"]


def test_without_the_extra_its_name_is_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joserfc", None)  # what makes an import fail
    monkeypatch.setattr("django_introspection.jose.find_spec", lambda name: None)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings("https://a.example")}}

    with pytest.raises(InvalidBackend, match=r"django-introspection\[jwt\]"):
        token_backends["default"]
