"""Every way in which a resource server says who it is to an authorization server."""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import alarm
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.jose import is_signed_by, read_verification_key
from django_introspection.outbound import service_token
from django_introspection.protocol.assertion import assertion_problem
from django_introspection.protocol.jwt import parse_jwt
from django_introspection.signals import credentials_refused
from tests import jose
from tests.misbehaving.server import CERTIFICATE, CLIENT_ID, CLIENT_SECRET, PATH, MisbehavingServer
from tests.outbound import renewals

TOKEN = "some-token"
TOKEN_PATH = "/token"
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


def configure(settings: Any, server: MisbehavingServer, **options: Any) -> None:
    """Ask a server with these options instead of its usual credentials; None takes one away."""
    values = server.settings(**options)
    own = values["BACKENDS"]["default"]["OPTIONS"]
    values["BACKENDS"]["default"]["OPTIONS"] = {name: value for name, value in own.items() if value is not None}
    settings.TOKEN_INTROSPECTION = values


@CALLS
def test_client_secret_post(call: Any, authorization_server: MisbehavingServer, settings: Any) -> None:
    configure(settings, authorization_server, auth_method="client_secret_post")

    assert call(TOKEN)

    (request,) = authorization_server.requests
    assert request.form["client_id"] == [CLIENT_ID]
    assert request.form["client_secret"] == [CLIENT_SECRET]
    assert "Authorization" not in request.headers


def test_both_halves_of_basic_are_form_encoded(authorization_server: MisbehavingServer, settings: Any) -> None:
    configure(settings, authorization_server, client_id="a:b", client_secret="p%+ é")

    introspect(TOKEN)

    (request,) = authorization_server.requests
    sent = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert sent == "a%3Ab:p%25%2B+%C3%A9"


@CALLS
@pytest.mark.requirement("23b-4-c")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_private_key_jwt_signs_anew_for_each_request(
    call: Any, alg: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    issuer = "https://auth.example.com"
    key = {"KEY": jose.private(alg, kid="one")}
    configure(
        settings,
        authorization_server,
        issuer=issuer,
        auth_method="private_key_jwt",
        private_key=key,
        client_secret=None,
    )

    call(TOKEN)
    call(TOKEN)

    assertions = [parse_jwt(request.form["client_assertion"][0]) for request in authorization_server.requests]
    for assertion in assertions:
        assert is_signed_by([read_verification_key(jose.public(alg, kid="one"))], assertion)
        now = assertion.claims["iat"]
        assert assertion_problem(assertion, client_id=CLIENT_ID, issuer=issuer, now=now, leeway=0) is None
        assert assertion.header["typ"] == "client-authentication+jwt"
    assert assertions[0].claims["jti"] != assertions[1].claims["jti"]
    assert not any("client_secret" in request.form for request in authorization_server.requests)
    assert [request.form["client_id"] for request in authorization_server.requests] == [[CLIENT_ID]] * 2


def test_a_second_try_has_an_assertion_of_its_own(authorization_server: MisbehavingServer, settings: Any) -> None:
    issuer = "https://auth.example.com"
    key = {"KEY": jose.private("ES256")}
    method = {"auth_method": "private_key_jwt", "private_key": key, "client_secret": None, "issuer": issuer}
    configure(settings, authorization_server, **method)
    authorization_server.behave("fails at first", count=[1], code=502)

    assert introspect(TOKEN)

    first, second = (request.form["client_assertion"] for request in authorization_server.requests)
    assert first != second


@pytest.mark.parametrize(
    ("verify", "certificate"),
    [
        (CERTIFICATE, CERTIFICATE),
        (Path(CERTIFICATE), Path(CERTIFICATE)),
        (Path(CERTIFICATE), [Path(CERTIFICATE), CERTIFICATE]),
    ],
    ids=["str", "path", "list"],
)
@CALLS
def test_tls_client_auth_shows_its_certificate(call: Any, settings: Any, verify: Any, certificate: Any) -> None:
    with MisbehavingServer(tls=True) as server:
        server.ask_for_certificate()
        common = {"auth_method": "tls_client_auth", "client_secret": None, "verify": verify}
        configure(settings, server, **common, client_certificate=certificate)
        assert call(TOKEN)
        (request,) = server.requests
        assert request.form["client_id"] == [CLIENT_ID]
        assert "Authorization" not in request.headers

        configure(settings, server, **common)
        with pytest.raises(IntrospectionUnavailable):
            call(TOKEN)
        assert len(server.requests) == 1


@CALLS
def test_a_fixed_bearer_token(call: Any, authorization_server: MisbehavingServer, settings: Any) -> None:
    options = {"auth_method": "bearer", "bearer_token": "ours", "client_id": None, "client_secret": None}
    configure(settings, authorization_server, **options)
    authorization_server.behave("takes one bearer token", good=["ours"])

    assert call(TOKEN)
    assert authorization_server.requests[0].form.keys() == {"token", "token_type_hint"}


class TestServiceToken:
    @pytest.fixture(autouse=True)
    def issued(self, authorization_server: MisbehavingServer, settings: Any) -> list[str]:
        """What the token endpoint issued; the introspection endpoint takes the last of it."""
        issued: list[str] = []
        url = authorization_server.origin + TOKEN_PATH
        options = {"auth_method": "client_credentials", "token_url": url, "scope": "introspection"}
        configure(settings, authorization_server, **options)
        authorization_server.behave("issues tokens", at=TOKEN_PATH, issued=issued)
        authorization_server.behave("takes one bearer token", at=PATH, good=issued)
        return issued

    @CALLS
    def test_a_token_is_fetched_once_and_used(
        self, call: Any, issued: list[str], authorization_server: MisbehavingServer
    ) -> None:
        for _ in range(3):
            assert call(TOKEN)

        (request,) = authorization_server.requests_at(TOKEN_PATH)
        assert request.form == {"grant_type": ["client_credentials"], "scope": ["introspection"]}
        assert request.headers["Authorization"].startswith("Basic ")
        assert len(issued) == 1

    @pytest.mark.requirement("6749-5.1-c")
    @pytest.mark.parametrize("token_type", ["bearer", "BEARER", "Bearer"])
    def test_the_token_type_has_no_case_and_unknown_members_mean_nothing(
        self, token_type: str, issued: list[str], authorization_server: MisbehavingServer
    ) -> None:
        strange = {"unknown": {"access_token": "another"}, "scope": 7, "id_token": None}
        authorization_server.behave("issues tokens", at=TOKEN_PATH, issued=issued, token_type=token_type, **strange)

        assert introspect(TOKEN)
        assert len(issued) == 1

    @CALLS
    @pytest.mark.requirement("9700-4.3.2-a", "6750-5.3-b")
    def test_no_token_and_no_secret_stands_in_a_url(
        self, call: Any, issued: list[str], authorization_server: MisbehavingServer
    ) -> None:
        assert call(TOKEN)

        assert [request.path for request in authorization_server.requests] == [TOKEN_PATH, PATH]
        assert authorization_server.requests[1].headers["Authorization"] == f"Bearer {issued[-1]}"
        assert authorization_server.requests[1].form["token"] == [TOKEN]

    def test_a_lifetime_in_digits_is_one(self, issued: list[str], authorization_server: MisbehavingServer) -> None:
        """Microsoft Entra ID writes it so at its endpoint v1."""
        authorization_server.behave("issues tokens", at=TOKEN_PATH, issued=issued, expires_in="3599")

        assert introspect(TOKEN)
        assert len(issued) == 1

    @pytest.mark.parametrize("method", ["client_secret_post", "private_key_jwt"])
    def test_the_token_endpoint_has_a_method_of_its_own(
        self, method: str, issued: list[str], authorization_server: MisbehavingServer, settings: Any
    ) -> None:
        options = settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"]
        further = {"issuer": "https://auth.example.com", "private_key": {"KEY": jose.private("ES256")}}
        if method == "private_key_jwt":
            del options["client_secret"]
        else:
            further = {}
        configure(settings, authorization_server, **options, **further, token_auth_method=method)
        if method == "private_key_jwt":
            del settings.TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"]["client_secret"]

        assert introspect(TOKEN)

        (request,) = authorization_server.requests_at(TOKEN_PATH)
        assert ("client_secret" in request.form) == (method == "client_secret_post")
        assert ("client_assertion" in request.form) == (method == "private_key_jwt")

    @CALLS
    def test_it_is_renewed_before_its_end(
        self, call: Any, issued: list[str], authorization_server: MisbehavingServer
    ) -> None:
        assert call(TOKEN)

        with time_machine.travel(time.time() + 3600 - service_token.MARGIN):
            authorization_server.behave("active", at=PATH)  # the old token or the new one, whichever comes first
            assert call(TOKEN)
            renewals.finish()
            authorization_server.behave("takes one bearer token", at=PATH, good=["service-token-1"])
            assert call(TOKEN)

        assert len(issued) == 2

    @CALLS
    def test_a_refused_service_token_is_replaced_at_once_then_once_a_minute(
        self, call: Any, issued: list[str], authorization_server: MisbehavingServer
    ) -> None:
        assert call(TOKEN)
        authorization_server.behave("takes one bearer token", at=PATH, good=["service-token-1"])
        assert call(TOKEN)
        assert len(issued) == 2

        authorization_server.behave("takes one bearer token", at=PATH, good=["nothing we have"])
        for _ in range(3):
            with pytest.raises(IntrospectionUnavailable, match="refuses"):
                call(TOKEN)

        assert len(issued) == 2

    def test_many_first_requests_fetch_one(self, issued: list[str], authorization_server: MisbehavingServer) -> None:
        barrier = threading.Barrier(8)

        def call(number: int) -> Any:
            barrier.wait()
            return introspect(f"{TOKEN}-{number}")

        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(call, range(8)))

        assert len(issued) == 1

    @pytest.mark.parametrize(
        "broken",
        [
            {"access_token": None},
            {"access_token": ""},
            {"access_token": "a b"},
            {"access_token": "a\r\nX: y"},
            {"access_token": 7},
            {"token_type": "mac"},
            {"token_type": None},
            {"expires_in": "soon"},
            {"expires_in": -1},
            {"expires_in": True},
            {"expires_in": "9" * 5000},
            {"token_type": "N_A"},
            {"issued_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        ],
        ids=str,
    )
    def test_a_response_without_a_usable_token_is_503(
        self, broken: Any, authorization_server: MisbehavingServer
    ) -> None:
        authorization_server.behave("issues tokens", at=TOKEN_PATH, issued=[], **broken)

        with pytest.raises(IntrospectionUnavailable, match="token response"):
            introspect(TOKEN)

        assert authorization_server.requests_at(PATH) == []

    @pytest.mark.parametrize("code", [400, 401, 403, 500, 302])
    def test_a_token_endpoint_that_refuses_is_503_and_an_operators_affair(
        self, code: int, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        authorization_server.behave("status", at=TOKEN_PATH, code=code)

        with pytest.raises(IntrospectionUnavailable, match=str(code)):
            introspect(TOKEN)

        assert bool([each for each in caplog.records if each.levelname == "ERROR"]) == (code in (400, 401, 403))

    def test_no_log_and_no_error_tells_the_token(
        self, issued: list[str], authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        from tests.resource_server.test_secrecy import report

        authorization_server.behave("status 500", at=PATH)

        said = report(lambda: introspect(TOKEN))

        assert issued
        assert not any(secret in said + caplog.text for secret in [*issued, CLIENT_SECRET])


def test_a_server_that_refuses_us_is_told_once_a_minute(
    authorization_server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(alarm, "monotonic", lambda: clock[0])
    told: list[dict[str, Any]] = []

    def receive(**event: Any) -> None:
        told.append({name: event[name] for name in ("backend", "service", "detail")})

    credentials_refused.connect(receive)
    authorization_server.behave("status 401")
    for seconds in (0, 1, 58, 1):
        clock[0] += seconds
        with pytest.raises(IntrospectionUnavailable):
            introspect(TOKEN)

    detail = "the authorization server refuses this resource server: 401"
    assert told == [{"backend": "default", "service": None, "detail": detail}] * 2
    assert len([each for each in caplog.records if each.levelname == "ERROR"]) == 2
    assert CLIENT_SECRET not in caplog.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": None}, "['client_id'] is required"),
        ({"client_secret": None}, "['client_secret'] is required"),
        ({"auth_method": "client_secret"}, "['auth_method'] must be one of"),
        ({"auth_method": "bearer"}, "['bearer_token'] is required"),
        (
            {"auth_method": "bearer", "client_secret": None, "bearer_token": "a b"},
            "['bearer_token'] must be a string of visible ASCII",
        ),
        ({"auth_method": "bearer", "bearer_token": "ours"}, "has unknown keys: 'client_secret'"),
        ({"auth_method": "private_key_jwt", "client_secret": None}, "['issuer'] is required"),
        (
            {"auth_method": "private_key_jwt", "client_secret": None, "issuer": "https://a.example"},
            "['private_key'] must be a dictionary",
        ),
        (
            {
                "auth_method": "private_key_jwt",
                "client_secret": None,
                "issuer": "https://a.example",
                "private_key": {"ENV": "NO_SUCH_VARIABLE"},
            },
            "['private_key'] cannot be used: the variable",
        ),
        (
            {"auth_method": "tls_client_auth", "client_secret": None, "client_certificate": "/none"},
            "client_certificate",
        ),
        ({"client_certificate": 7}, "['client_certificate'] must be a path"),
        ({"client_certificate": b"/none"}, "['client_certificate'] must be a path"),
        ({"verify": b"/none"}, "['verify'] must be True, False or a path"),
        ({"verify": Path("/none")}, "['verify'] must be the path of a file"),
        ({"auth_method": "client_credentials"}, "['token_url'] is required"),
        (
            {"auth_method": "client_credentials", "token_url": "http://a.example/token"},
            "plain http is only for loopback addresses, unless 'insecure_http' is True.",
        ),
    ],
    ids=str,
)
def test_what_is_missing_or_wrong_is_named_and_its_value_is_not(options: Any, said: str, settings: Any) -> None:
    with MisbehavingServer() as server:
        configure(settings, server, **options)
        with pytest.raises(InvalidBackend) as raised:
            token_backends["default"]

    assert said in str(raised.value)
    assert CLIENT_SECRET not in str(raised.value)
