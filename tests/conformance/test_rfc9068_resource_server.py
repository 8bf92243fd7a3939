"""RFC 9068 from the side that is shown the token: protected views of a project that verifies an issuer's JWTs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests import jose
from tests.backends.issuers import JWKS, access_token, claims, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import ask, assert_refused, protect
from tests.settings import AUDIENCE


@pytest.fixture
def server(settings: Any) -> Iterator[MisbehavingServer]:
    """The issuer; `one` is its key."""
    with MisbehavingServer() as running:
        publish(running, public())
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(running.origin)}, "LEEWAY": 30}
        yield running


def assert_taken(token: str) -> None:
    assert ask(protect(), token).status_code == 200


def assert_invalid(token: str) -> None:
    view = protect()
    assert_refused(ask(view, token), 401, "invalid_token")
    assert view.ran == []


@pytest.mark.requirement("9068-4-a", "9068-4-f")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"])
def test_an_access_token_says_so(typ: str, server: MisbehavingServer) -> None:
    assert_taken(access_token(server.origin, header={"typ": typ}))


@pytest.mark.requirement("9068-4-a", "9068-4-f", "8725-3.12-a")
@pytest.mark.parametrize("typ", ["JWT", "jwt", "", "token-introspection+jwt", "dpop+jwt", "logout+jwt", "at+jwt "])
def test_another_type_is_refused(typ: str, server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, header={"typ": typ}))


@pytest.mark.requirement("9068-4-a", "8725-3.12-a")
def test_a_jwt_without_a_type_is_refused(server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, without=["typ"]))


@pytest.mark.requirement("9068-4-b")
@pytest.mark.parametrize("change", [str.upper, "{}/".format, " {}".format, lambda _: None, lambda each: [each]])
def test_the_issuer_is_compared_exactly(change: Any, server: MisbehavingServer) -> None:
    assert_taken(access_token(server.origin))
    assert_invalid(access_token(server.origin, iss=change(server.origin)))


@pytest.mark.requirement("9068-4-c")
@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
def test_a_token_for_this_resource_is_taken(audience: Any, server: MisbehavingServer) -> None:
    assert_taken(access_token(server.origin, aud=audience))


@pytest.mark.requirement("9068-4-c")
@pytest.mark.parametrize(
    "audience",
    [None, [], "", AUDIENCE[:-1], AUDIENCE + "/", AUDIENCE.upper(), f"{AUDIENCE} x", {AUDIENCE: 1}, [[AUDIENCE]]],
)
def test_a_token_for_another_resource_is_refused(audience: Any, server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, aud=audience))


@pytest.mark.requirement("9068-4-d")
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_a_token_signed_with_any_asymmetric_algorithm_is_accepted(alg: str, server: MisbehavingServer) -> None:
    publish(server, public(alg=alg) | {"alg": alg})

    assert_taken(access_token(server.origin, alg=alg))


@pytest.mark.requirement("9068-4-d")
@pytest.mark.parametrize(
    ("alg", "curve"), [("ES384", "ES256"), ("ES256", "ES384"), ("ES512", "ES256K"), ("Ed25519", "Ed448")]
)
def test_an_algorithm_belongs_to_one_curve(alg: str, curve: str, server: MisbehavingServer) -> None:
    publish(server, public(alg=curve))
    header = {"alg": alg, "typ": "at+jwt", "kid": "one"}

    assert_invalid(jose.sign(header, claims(server.origin), jose.key(curve)))


@pytest.mark.requirement("9068-4-d", "9068-4-f")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS1"])
def test_an_algorithm_that_proves_nothing_is_refused(alg: str, server: MisbehavingServer) -> None:
    signed, _, signature = access_token(server.origin).rpartition(".")
    header = jose.part({"alg": alg, "typ": "at+jwt", "kid": "one"})
    payload = signed.partition(".")[2]

    for end in ("", signature):
        assert_invalid(f"{header}.{payload}.{end}")


@pytest.mark.requirement("9068-4-d")
def test_a_signature_that_is_missing_or_by_another_key_is_refused(server: MisbehavingServer) -> None:
    good = access_token(server.origin)
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}

    assert_invalid(good.rpartition(".")[0] + ".")
    assert_invalid(jose.sign(header, claims(server.origin), jose.key("ES256", "two")))
    assert_invalid(access_token(server.origin, name="two"))


@pytest.mark.requirement("9068-4-e", "7519-4.1.4-a")
@pytest.mark.parametrize(
    ("seconds", "is_good"), [(3600, True), (0.5, True), (-20, True), (-40, False), (-40.5, False), (-3600, False)]
)
def test_a_token_ends_at_its_end_with_some_leeway(seconds: float, is_good: bool, server: MisbehavingServer) -> None:
    token = access_token(server.origin, exp=time.time() + seconds)

    (assert_taken if is_good else assert_invalid)(token)


@pytest.mark.requirement("9068-4-e", "7519-4.1.4-a")
@pytest.mark.parametrize("exp", [None, "4102444800", True, [4102444800], {}, 10**300, -1])
def test_an_end_that_is_missing_or_no_number_is_refused(exp: Any, server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, exp=exp))


@pytest.mark.requirement("7519-4.1.4-a")
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_other_times_are_numbers_and_the_beginning_is_waited_for(name: str, server: MisbehavingServer) -> None:
    assert_taken(access_token(server.origin, **{name: time.time() - 0.5}))
    assert_invalid(access_token(server.origin, **{name: "1"}))
    assert_invalid(access_token(server.origin, nbf=time.time() + 60))


@pytest.mark.requirement("9068-2.1-b")
def test_rs256_is_verified(server: MisbehavingServer) -> None:
    publish(server, public(alg="RS256"))

    assert_taken(access_token(server.origin, alg="RS256"))


@pytest.mark.requirement("8725-3.1-a")
@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_a_public_key_is_no_secret_to_sign_with(alg: str, server: MisbehavingServer) -> None:
    publish(server, public(alg=alg))
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "one"}
    key = jose.key(alg)
    secrets = [key.as_pem(private=False), key.as_pem(private=False).strip(), key.as_der(private=False)]

    assert_taken(access_token(server.origin, alg=alg))
    for secret in [*secrets, json.dumps(public(alg=alg)).encode(), b""]:
        assert_invalid(jose.hmac_signed(header, claims(server.origin), secret))


@pytest.mark.requirement("8725-3.8-a")
def test_a_key_of_one_issuer_makes_no_token_of_another(server: MisbehavingServer, settings: Any) -> None:
    with MisbehavingServer() as other:
        publish(other, public("two", kid="one"))
        entry = jwt_settings(other.origin)
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin), "other": entry}}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}

        assert_taken(access_token(server.origin))
        assert_invalid(jose.sign(header, claims(server.origin), jose.key("ES256", "two")))
        assert_invalid(jose.sign(header, claims(other.origin), jose.key("ES256", "two")))


@pytest.mark.requirement("8725-3.10-a")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_a_key_that_the_token_brings_along_is_not_looked_at(name: str, server: MisbehavingServer) -> None:
    with MisbehavingServer() as evil:
        publish(evil, public("two", kid="one"))
        url = f"{evil.origin}{JWKS}"
        own = {"jku": url, "x5u": url, "jwk": public("two", kid="one"), "x5c": ["MIIB"]}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": "one", name: own[name]}

        assert_invalid(jose.sign(header, claims(server.origin), jose.key("ES256", "two")))
        assert_taken(access_token(server.origin, header={name: own[name]}))
        assert evil.connections == 0


@pytest.mark.requirement("8725-3.10-a")
@pytest.mark.parametrize("kid", ["../one", "/etc/passwd", "x' OR '1'='1", "one\x00", "", "ONE", "http://evil.example/"])
def test_the_name_of_a_key_is_compared_and_nothing_else(kid: str, server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, header={"kid": kid}))
    assert {request.path for request in server.requests} <= {"/.well-known/oauth-authorization-server", JWKS}


@pytest.mark.requirement("7515-4.1.11-a")
@pytest.mark.parametrize("crit", [["exp"], ["x"], [], "x", None, ["b64"]])
def test_a_header_with_crit_is_refused(crit: Any, server: MisbehavingServer) -> None:
    assert_invalid(access_token(server.origin, header={"crit": crit, "b64": True, "x": 1}))


@pytest.mark.requirement("7519-4-a")
@pytest.mark.parametrize("name", ["aud", "iss", "exp", "custom"])
def test_a_claim_that_comes_twice_is_refused(name: str, server: MisbehavingServer) -> None:
    said = claims(server.origin, custom=1)
    once = json.dumps(said)
    twice = f"{once[:-1]}, {json.dumps({name: said[name]})[1:]}"
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}

    assert_taken(jose.sign(header, once.encode(), jose.key("ES256")))
    assert_invalid(jose.sign(header, twice.encode(), jose.key("ES256")))


@pytest.mark.requirement("8725-3.12-a")
def test_an_id_token_and_an_assertion_are_no_access_tokens(server: MisbehavingServer) -> None:
    key, header = jose.key("ES256"), {"alg": "ES256", "kid": "one", "typ": "JWT"}

    assert_invalid(jose.sign(header, claims(server.origin, nonce="n", scope=None, client_id=None), key))
    assert_invalid(jose.sign(header, claims("app", sub="app", aud=server.origin), key))


@pytest.mark.requirement("9701-8.1-a", "8725-3.12-a")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("typ", ["token-introspection+jwt", "application/token-introspection+jwt", "JWT", None])
def test_a_signed_introspection_response_is_no_access_token(
    server: MisbehavingServer, settings: Any, strict: bool, typ: str | None
) -> None:
    """Also if its server makes it of the claims of the token, and has signed both with one key."""
    backend = jwt_settings(server.origin, require_at_jwt=strict)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}
    answer = {"active": True, "scope": "orders:read", "token_type": "Bearer", "aud": AUDIENCE}

    assert_invalid(
        access_token(server.origin, header={"typ": typ}, without=() if typ else ["typ"], token_introspection=answer)
    )
    assert_taken(access_token(server.origin))


@pytest.mark.requirement("7517-5-b")
def test_keys_that_nobody_can_use_are_left_out(server: MisbehavingServer) -> None:
    publish(server, {"kty": "AKP"}, {"kty": "RSA", "n": 7}, 7, jose.private("EdDSA"), public())

    assert_taken(access_token(server.origin))


@pytest.mark.requirement("7517-4.2-a")
@pytest.mark.parametrize("members", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": []}, {"alg": "ES384"}])
def test_a_key_for_something_else_verifies_nothing(members: dict[str, Any], server: MisbehavingServer) -> None:
    publish(server, public(**members))

    assert_invalid(access_token(server.origin))


@pytest.mark.requirement("7517-4.2-a")
def test_a_key_verifies_its_own_algorithm_alone(server: MisbehavingServer) -> None:
    publish(server, public(alg="PS256") | {"alg": "PS256"})

    assert_taken(access_token(server.origin, alg="PS256"))
    assert_invalid(access_token(server.origin, alg="RS256"))
