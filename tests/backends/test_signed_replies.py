"""Replies that the issuer must have signed (RFC 9701), from servers that sign well, badly, for others or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from joserfc import jwe
from joserfc.jwk import ECKey

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from django_introspection.protocol.errors import InvalidResponse
from tests import jose
from tests.backends.issuers import JWKS, OAUTH, access_token, public, publish
from tests.misbehaving.server import CLIENT_ID, PATH, MisbehavingServer
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
TOKEN = "a-token-of-somebody-else"
MEDIA_TYPE = "application/token-introspection+jwt"
MEMBERS: dict[str, Any] = {
    "active": True, "token_type": "Bearer", "sub": "alice", "client_id": "app", "scope": "orders:read", "aud": AUDIENCE
}  # fmt: skip
TYPE = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": "one"}


RECIPIENT = ECKey.generate_key("P-256")


@pytest.fixture
def server(settings: Any) -> Iterator[MisbehavingServer]:
    """The issuer, with one key; this project requires signed replies of it."""
    with MisbehavingServer() as running:
        publish(running, public())
        configure(settings, running)
        running.behave("body", at=PATH, content=signed(running), content_type=MEDIA_TYPE)
        yield running


def configure(settings: Any, server: MisbehavingServer, *, cache: Any = None, **options: Any) -> None:
    own = {"issuer": server.origin, "audience": AUDIENCE, "signed_response": True, **options}
    values = server.settings(**{name: value for name, value in own.items() if value is not None})
    if cache is not None:
        values["BACKENDS"]["default"]["CACHE"] = cache
    settings.TOKEN_INTROSPECTION = values


def claims(server: MisbehavingServer, **changes: Any) -> dict[str, Any]:
    whole = {"iss": server.origin, "aud": CLIENT_ID, "iat": int(time.time()), "token_introspection": MEMBERS, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def signed(server: MisbehavingServer, header: Any = None, **changes: Any) -> bytes:
    return jose.sign({**TYPE, **(header or {})}, claims(server, **changes), jose.key("ES256")).encode()


def reply(server: MisbehavingServer, content: bytes | str, content_type: str = MEDIA_TYPE) -> None:
    content = content.encode() if isinstance(content, str) else content
    server.behave("body", at=PATH, content=content, content_type=content_type)


@pytest.mark.requirement("9701-4-a", "9701-5-a", "9701-P")
@CALLS
def test_a_signed_answer_is_asked_for_verified_and_used(call: Any, server: MisbehavingServer) -> None:
    for _ in range(2):
        info = call(TOKEN)
        assert (info.sub, info.scopes) == ("alice", {"orders:read"})

    first, *others = server.requests_at(PATH)
    assert first.headers["Accept"] == MEDIA_TYPE
    assert first.form == {"token": [TOKEN], "token_type_hint": ["access_token"]}
    assert [request.path for request in server.requests if request not in (first, *others)] == [OAUTH, JWKS]


@pytest.mark.requirement("9701-5-a")
@pytest.mark.parametrize("content_type", [MEDIA_TYPE, MEDIA_TYPE.upper(), f"{MEDIA_TYPE}; charset=utf-8"])
def test_the_media_type_may_be_written_in_any_way(server: MisbehavingServer, content_type: str) -> None:
    reply(server, signed(server) + b"\n", content_type)

    assert introspect(TOKEN)


@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_every_asymmetric_algorithm_is_verified(server: MisbehavingServer, alg: str) -> None:
    publish(server, public(alg=alg))
    reply(server, jose.sign({**TYPE, "alg": alg}, claims(server), jose.key(alg), alg=alg))

    assert introspect(TOKEN)


@pytest.mark.requirement("9701-5-c")
@CALLS
def test_a_signed_inactive_answer_is_inactive(call: Any, server: MisbehavingServer) -> None:
    reply(server, signed(server, token_introspection={"active": False}))

    assert call(TOKEN) is None


@pytest.mark.requirement("9701-P")
@pytest.mark.parametrize("audience", [CLIENT_ID, AUDIENCE, [AUDIENCE, "other"]])
def test_the_audience_is_the_client_or_the_resource(server: MisbehavingServer, audience: Any) -> None:
    reply(server, signed(server, aud=audience))

    assert introspect(TOKEN)


def faults(server: MisbehavingServer) -> dict[str, tuple[bytes | str, str]]:
    """Return what a server, or a machine on the way, could send instead of the answer."""
    whole, now = claims(server), int(time.time())
    key, good = jose.key("ES256"), signed(server).decode()
    head, payload, signature = good.split(".")
    resigned = {
        "another key": jose.sign(TYPE, whole, jose.key("ES256", "evil")),
        "an unknown key": jose.sign({**TYPE, "kid": "two"}, whole, jose.key("ES256", "evil")),
        "the key of the header": jose.sign(
            {**TYPE, "kid": None, "jwk": jose.public("ES256", "evil")}, whole, jose.key("ES256", "evil")
        ),
        "no algorithm": f"{jose.part({**TYPE, 'alg': 'none'})}.{payload}.",
        "no signature": f"{head}.{payload}.",
        "the algorithm of a secret": jose.hmac_signed({**TYPE, "alg": "HS256"}, whole, key.as_pem(private=False)),
        "the client's secret": jose.hmac_signed({**TYPE, "alg": "HS256"}, whole, b"the secret of the orders API"),
        "another algorithm": jose.sign({**TYPE, "alg": "RS256"}, whole, jose.key("RS256"), alg="RS256"),
        "changed claims": f"{head}.{jose.part({**whole, 'aud': AUDIENCE})}.{signature}",
        "a critical extension": jose.sign({**TYPE, "crit": ["exp"]}, whole, key),
        "an access token": access_token(server.origin),
        "an access token with the answer": jose.sign({**TYPE, "typ": "at+jwt"}, whole, key),
        "an ID token": jose.sign({**TYPE, "typ": "JWT"}, {**whole, "nonce": "n"}, key),
        "encrypted": f"{good}.AAAA.AAAA",
        "not ASCII": good + "é",
        "too much": good + "A" * (1024 * 1024),
        "json": '{"active": true}',
        "nothing": "",
    }
    changed: dict[str, Any] = {
        "another issuer": {"iss": "https://evil.example"},
        "another caller": {"aud": "invoices-api"},
        "no audience": {"aud": None},
        "an old answer": {"iat": now - 3600},
        "a future answer": {"iat": now + 3600},
        "no time": {"iat": None},
        "expired": {"exp": now - 3600},
        "no answer": {"token_introspection": None},
        "an answer at the top": {"token_introspection": None, **MEMBERS},
        "no boolean": {"token_introspection": {**MEMBERS, "active": "true"}},
    }
    named = {**resigned, **{name: signed(server, **changes) for name, changes in changed.items()}}
    wrong_types = ("application/json", "application/jwt", "text/plain", "")
    json = '{"active": true, "scope": "orders:read", "token_type": "Bearer"}'
    return {
        **{name: (content, MEDIA_TYPE) for name, content in named.items()},
        **{f"a signed answer as {each}": (good, each) for each in wrong_types},
        "an answer in JSON": (json, "application/json"),
        "an inactive answer in JSON": ('{"active": false}', "application/json"),
    }


@pytest.mark.requirement("9701-P", "9701-8.1-a")
@CALLS
def test_each_fault_is_an_outage_and_never_an_answer(call: Any, server: MisbehavingServer, settings: Any) -> None:
    for fault, (content, content_type) in faults(server).items():
        reply(server, content, content_type)
        with pytest.raises(InvalidResponse) as caught:
            call(TOKEN)
        assert TOKEN not in str(caught.value), fault

    reply(server, signed(server))
    assert call(TOKEN)


@pytest.mark.requirement("9701-P")
def test_a_view_answers_503_to_an_unsigned_answer(server: MisbehavingServer) -> None:
    reply(server, '{"active": true, "scope": "orders:read", "token_type": "Bearer"}', "application/json")

    assert ask(protect(), TOKEN).status_code == 503


@pytest.mark.parametrize("code", [400, 401])
@pytest.mark.parametrize("error", ["invalid_token", "unsupported_token_type"])
def test_an_unsigned_error_says_nothing_about_a_token(server: MisbehavingServer, code: int, error: str) -> None:
    """Without the option some of these mean an inactive token, as at Authlib and Kanidm."""
    server.behave("status", at=PATH, code=code, content=f'{{"error": "{error}"}}'.encode())

    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)


def test_a_replayed_answer_is_refused_when_it_is_too_old(server: MisbehavingServer, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEEWAY": 10}
    with time_machine.travel(int(time.time()), tick=False) as clock:
        reply(server, signed(server))
        assert introspect(TOKEN)
        clock.shift(15)  # the leeway, and the timeout that the request may have taken
        assert introspect(TOKEN)
        clock.shift(1)
        with pytest.raises(InvalidResponse, match="of the past"):
            introspect(TOKEN)


def test_keys_are_changed_without_a_lost_answer(server: MisbehavingServer) -> None:
    assert introspect(TOKEN)
    with time_machine.travel(time.time() + 60, tick=False):
        publish(server, public("two"))
        reply(server, jose.sign({**TYPE, "kid": "two"}, claims(server), jose.key("ES256", "two")))
        assert introspect(TOKEN)


def test_keys_that_cannot_be_had_are_an_outage(server: MisbehavingServer) -> None:
    server.behave("status", at=JWKS, code=500)

    with pytest.raises(IntrospectionUnavailable):
        introspect(TOKEN)


def test_the_keys_may_be_named_without_discovery(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server, jwks_uri=f"{server.origin}{JWKS}")

    assert introspect(TOKEN)
    assert OAUTH not in [request.path for request in server.requests]


@pytest.mark.requirement("9701-8.1-a")
def test_an_audience_that_is_no_resource_does_not_name_this_resource_server(
    server: MisbehavingServer, settings: Any
) -> None:
    configure(settings, server, audience="app", audience_claim="client_id")
    reply(server, signed(server, aud="app"))
    with pytest.raises(InvalidResponse, match="aud"):
        introspect(TOKEN)

    reply(server, signed(server))
    assert introspect(TOKEN)


@CALLS
def test_a_verified_answer_is_kept_like_any_other(call: Any, server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server, cache={"MAX_AGE": 60})

    assert call(TOKEN)
    assert call(TOKEN)
    assert len(server.requests_at(PATH)) == 1


def test_an_unsigned_answer_that_was_kept_is_not_used_by_the_option(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server, cache={"MAX_AGE": 60}, signed_response=False)
    server.behave("active", at=PATH, aud=AUDIENCE)
    assert introspect(TOKEN)

    configure(settings, server, cache={"MAX_AGE": 60})
    with pytest.raises(InvalidResponse):
        introspect(TOKEN)


def test_a_refused_answer_is_not_kept(server: MisbehavingServer, settings: Any) -> None:
    configure(settings, server, cache={"MAX_AGE": 60, "INACTIVE_MAX_AGE": 60})
    reply(server, signed(server, aud="another"))
    with pytest.raises(InvalidResponse):
        introspect(TOKEN)

    reply(server, signed(server))
    assert introspect(TOKEN)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"issuer": None}, r"\['issuer'\] is required by signed_response"),
        ({"issuer": "http://as.example.com"}, r"\['issuer'\] must be an https URL"),
        ({"client_id": None, "auth_method": "none", "client_secret": None, "audience": None}, r"\['client_id'\] is"),
        ({"jwks_uri": "http://as.example.com/keys"}, r"\['jwks_uri'\] must be an https URL"),
        ({"signed_response": "ES256"}, r"\['signed_response'\] must be True or False"),
        ({"signed_response": False, "jwks_uri": "https://as.example.com/keys"}, "has unknown keys: 'jwks_uri'"),
    ],
)
def test_a_wrong_option_is_named(server: MisbehavingServer, settings: Any, options: Any, problem: str) -> None:
    values = server.settings()
    own = values["BACKENDS"]["default"]["OPTIONS"]
    own |= {"issuer": server.origin, "signed_response": True, **options}
    values["BACKENDS"]["default"]["OPTIONS"] = {name: value for name, value in own.items() if value is not None}
    settings.TOKEN_INTROSPECTION = values

    with pytest.raises(InvalidBackend, match=problem):
        token_backends["default"]


def test_the_option_needs_the_extra(server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_introspection.jose.is_installed", lambda: False)

    with pytest.raises(InvalidBackend, match=r"\['signed_response'\] cannot be used: the extra jwt is not installed"):
        token_backends["default"]


def test_the_doctor_says_that_answers_are_signed_or_are_not(server: MisbehavingServer) -> None:
    reply(server, signed(server, token_introspection={"active": False}))
    found = [finding.what for finding in token_backends["default"].diagnose()]
    assert "the response is signed by the issuer, for this resource server" in found

    reply(server, '{"active": false}', "application/json")
    *_, finding = token_backends["default"].diagnose()
    assert (finding.severity, finding.what) == ("error", f"the response is not signed: it is not {MEDIA_TYPE}")
    assert "RFC 9701" in finding.mend


@pytest.mark.requirement("9701-5-f")
@CALLS
def test_with_decryption_keys_an_answer_must_be_signed_and_encrypted(
    call: Any, server: MisbehavingServer, settings: Any
) -> None:
    def nested(content: bytes, key: Any = RECIPIENT) -> str:
        header = {"alg": "ECDH-ES", "enc": "A128GCM", "cty": "JWT"}
        return jwe.encrypt_compact(header, content, key, algorithms=["ECDH-ES", "A128GCM"])

    configure(settings, server, decryption_keys=[{"KEY": jose.pem("ES256")}, {"KEY": RECIPIENT.as_dict(private=True)}])
    evil = jose.sign(TYPE, claims(server), jose.key("ES256", "evil")).encode()
    refused = {
        "not encrypted": signed(server),
        "for another key": nested(signed(server), ECKey.generate_key("P-256")),
        "not signed": nested(b'{"active": true}'),
        "encrypted by anybody": nested(evil),
        "encrypted twice": nested(nested(signed(server)).encode()),
    }
    for content in refused.values():
        reply(server, content)
        with pytest.raises(InvalidResponse):
            call(TOKEN)

    reply(server, nested(signed(server)))
    assert call(TOKEN)


@pytest.mark.parametrize(
    "keys",
    [
        {"KEY": "x"},
        ["x"],
        [{"KEY": "x"}],
        [{"KEY": jose.public("ES256")}],
        [{"KEY": jose.pem("Ed25519")}],
        [{"KEY": jose.pem("ES256"), "ALG": "ES256"}],
        [{"ENV": "NOT_THERE"}],
        [{}],
    ],
)
def test_a_decryption_key_that_cannot_be_used_is_named_and_not_shown(
    server: MisbehavingServer, settings: Any, keys: Any
) -> None:
    configure(settings, server, decryption_keys=keys)

    with pytest.raises(InvalidBackend, match=r"\['decryption_keys'\] (cannot be used: |must be a list)") as caught:
        token_backends["default"]
    assert "BEGIN" not in str(caught.value)
