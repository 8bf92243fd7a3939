"""RFC 9449 from the resource server's side: tokens that are bound to a key, each with a proof of its own."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.core.cache import caches
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, override_settings
from django.test import Client as Browser
from django.urls import include, path
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_introspection import token_backends
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.decorators import token_required
from django_introspection.permissions import requires_scope
from django_introspection.protocol.jwt import SIGNING_ALGORITHMS
from django_introspection.testing import assert_challenge
from django_introspection.testing.challenges import parse_challenges
from tests import caches as test_caches
from tests import endpoints, factories, jose
from tests.backends.issuers import access_token, jwt_settings, public, publish
from tests.misbehaving.server import MisbehavingServer
from tests.projects.run import run_module
from tests.resource_server.protected import TOKEN, ask, assert_unavailable, protect
from tests.settings import AUDIENCE, MIDDLEWARE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db
PROJECT = TOKEN_INTROSPECTION
ALGS = " ".join(SIGNING_ALGORITHMS)
ONLY = "tests.projects.resource_only"


class DPoP(IntrospectionAuthentication):
    schemes = ("DPoP",)


class Both(IntrospectionAuthentication):
    schemes = ("Bearer", "DPoP")


@pytest.fixture
def view() -> Any:
    return protect(authentication_classes=[Both])


@pytest.fixture
def token() -> str:
    """A token that is bound to the key `one`."""
    return bound()


def bound(name: str = "one", alg: str = "ES256", /, **cnf: Any) -> str:
    members = {"cnf": {"jkt": jose.thumbprint(alg, name), **cnf}}
    token: str = factories.TokenFactory(members=members).access_token
    return token


def send(view: Any, token: str, proof: str | None, scheme: str = "DPoP", **options: Any) -> Any:
    headers = {"Authorization": f"{scheme} {token}", **({} if proof is None else {"DPoP": proof})}
    return ask(view, headers=headers, **options)


def good(token: str, **changes: Any) -> str:
    return jose.proof(token, AUDIENCE, **changes)


def assert_refused(view: Any, token: str, proof: str | None, **options: Any) -> None:
    response = send(view, token, proof, **options)

    assert_challenge(response, "invalid_dpop_proof", scheme="DPoP", algs=ALGS)
    assert len(parse_challenges(response["WWW-Authenticate"])) == 1
    assert view.ran == []


@pytest.mark.requirement("9449-7.1-a", "9449-4.2-a", "9449-4.3-a", "9449-4.3-d", "9449-4.3-e")
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_a_bound_token_with_its_proof_opens_the_view(view: Any, alg: str) -> None:
    token = bound("one", alg)

    assert send(view, token, good(token, alg=alg)).status_code == 200


@pytest.mark.requirement("9110-11.1-a")
def test_the_scheme_has_no_case(view: Any, token: str) -> None:
    assert [send(view, token, good(token), scheme).status_code for scheme in ("dpop", "DPOP")] == [200, 200]


@pytest.mark.requirement("9449-4.1-a", "9449-7.1-a")
def test_there_is_one_proof_in_one_header(view: Any, token: str) -> None:
    proof = good(token)

    for header in (
        None,
        "",
        f"{proof},{good(token)}",
        f"{proof}, {proof}",
        f"{proof},",
        f"{proof} {proof}",
        "a.b.c",
        "é",
    ):
        assert_refused(view, token, header)


@pytest.mark.requirement("9449-4.2-a")
@pytest.mark.parametrize(
    "header",
    [
        {"typ": None},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"jwk": None},
        {"jwk": "https://evil.example/key"},
        {"jwk": jose.private("ES256")},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"jwk": {"kty": "EC", "crv": "P-256", "x": 1}},
        {"jwk": jose.public("RS256")},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES512"},
        {"crit": ["exp"]},
        {"alg": None},
    ],
)
def test_its_header_is_that_of_a_proof_with_a_public_key(view: Any, token: str, header: dict[str, Any]) -> None:
    assert_refused(view, token, good(token, header=header))


@pytest.mark.requirement("9449-4.2-a")
def test_a_symmetric_signature_with_the_public_key_is_none(view: Any, token: str) -> None:
    header, claims = jose.read(good(token))
    secret = json.dumps(header["jwk"]).encode()

    assert_refused(view, token, jose.hmac_signed({**header, "alg": "HS256"}, claims, secret))
    assert_refused(view, token, f"{jose.part({**header, 'alg': 'none'})}.{jose.part(claims)}.")


@pytest.mark.requirement("9449-4.2-b")
@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat", "ath"])
def test_every_claim_is_there(view: Any, token: str, claim: str) -> None:
    assert_refused(view, token, good(token, **{claim: None}))
    assert_refused(view, token, good(token, **{claim: ""}))


@pytest.mark.requirement("9449-4.3-a")
def test_its_signature_is_by_the_key_that_it_names(view: Any, token: str) -> None:
    proof = good(token)

    assert_refused(view, token, good(token, signer=jose.key("ES256", "two")))
    assert_refused(view, token, proof.rpartition(".")[0] + "." + good(token).rpartition(".")[2])
    assert_refused(view, token, proof.rpartition(".")[0] + ".")


@pytest.mark.requirement("9449-4.3-b")
def test_the_method_is_that_of_the_request_in_its_case(view: Any, token: str) -> None:
    assert_refused(view, token, good(token, htm="get"))
    assert_refused(view, token, good(token, htm="POST"))
    assert_refused(view, token, good(token), method="post")
    assert send(view, token, good(token, htm="POST"), method="post").status_code == 200


@pytest.mark.requirement("9449-4.3-c")
@pytest.mark.parametrize(
    ("htu", "path"),
    [
        ("HTTPS://API.Example.com:443/orders", "/orders"),
        ("https://api.example.com/orders", "/orders?page=2"),
        ("https://api.example.com/orders?page=9#top", "/orders?page=2"),
        ("https://api.example.com/%6Frders/./x/..", "/orders/"),
        ("https://api.example.com/~me", "/%7Eme"),
        ("https://api.example.com/%7Eme", "/~me"),
        ("https://api.example.com/caf%c3%a9%20au%20lait", "/caf%C3%A9%20au%20lait"),
        ("https://api.example.com", "/"),
    ],
)
def test_the_uri_is_that_of_the_request_however_it_is_spelled(view: Any, token: str, htu: str, path: str) -> None:
    assert send(view, token, good(token, htu=htu), path=path).status_code == 200


@pytest.mark.requirement("9449-4.3-c")
@pytest.mark.parametrize(
    "htu",
    [
        "https://api.example.com/invoices",
        "https://api.example.com/orders/",
        "https://api.example.com/Orders",
        "http://api.example.com/orders",
        "https://api.example.com:8443/orders",
        "http://testserver/orders",
        "/orders",
        "https://api.example.com@evil.example/orders",
    ],
)
def test_a_proof_for_another_uri_is_refused(view: Any, token: str, htu: str) -> None:
    assert_refused(view, token, good(token, htu=htu))


@pytest.mark.requirement("9449-4.3-c")
def test_the_host_and_what_a_proxy_says_of_it_change_nothing(view: Any, token: str, settings: Any) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["*"]
    claimed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

    for htu, status in (("https://evil.example/orders", 401), (AUDIENCE, 200)):
        proof = good(token, htu=htu)
        response = ask(view, headers={"Authorization": f"DPoP {token}", "DPoP": proof, **claimed})
        assert response.status_code == status


@pytest.mark.requirement("9449-4.3-c")
def test_origins_that_are_named_stand_for_those_of_the_audience(view: Any, token: str, settings: Any) -> None:
    origins = ["https://eu.example.com", "https://us.example.com:8443"]
    settings.TOKEN_INTROSPECTION = {**PROJECT, "ORIGINS": origins}

    for origin in origins:
        assert send(view, token, good(token, htu=f"{origin}/orders")).status_code == 200
    view.ran.clear()
    assert_refused(view, token, good(token))


@pytest.mark.requirement("9449-4.3-c")
def test_the_origins_of_a_router_are_those_of_the_backends_to_choose_from(view: Any, token: str, settings: Any) -> None:
    router = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": {"default": ["own"]}}
    backends = {"default": router, "own": PROJECT["BACKENDS"]["default"]}
    settings.TOKEN_INTROSPECTION = {**PROJECT, "BACKENDS": backends}

    assert send(view, token, good(token)).status_code == 200
    view.ran.clear()
    assert_refused(view, token, good(token, htu="http://testserver/orders"))


def test_a_prefix_that_the_server_puts_before_the_project_is_part_of_the_uri(token: str, settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/shop"
    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", protect(authentication_classes=[DPoP]).as_view())]
    with override_settings(ROOT_URLCONF=urls):
        asked = [
            get("/orders", token, jose.proof(token, f"https://api.example.com{each}"))
            for each in ("/shop/orders", "/orders")
        ]

    assert [each.status_code for each in asked] == [200, 401]


@pytest.mark.requirement("9449-4.3-c")
@pytest.mark.parametrize(
    ("forced", "scope"),
    [
        ("/shop", {"path": "/orders"}),
        ("/shop/", {"path": "/orders"}),
        (None, {"path": "/orders", "root_path": "/shop"}),
        (None, {"path": "/shop/orders", "root_path": "/shop"}),
    ],
    ids=["forced", "forced with slash", "root path taken off", "root path"],
)
def test_under_asgi_a_prefix_is_part_of_the_uri(token: str, settings: Any, forced: Any, scope: dict[str, str]) -> None:
    settings.FORCE_SCRIPT_NAME = forced
    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", protect(authentication_classes=[DPoP]).as_view())]
    with override_settings(ROOT_URLCONF=urls):
        asked = []
        for each in ("/shop/orders", "/orders"):
            proof = jose.proof(token, f"https://api.example.com{each}")
            headers = [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]
            asked.append(async_to_sync(AsyncClient().request)(method="GET", headers=headers, **scope))

    assert [each.status_code for each in asked] == [200, 401]


@pytest.mark.requirement("9449-4.3-d")
def test_a_proof_is_for_one_token(view: Any, token: str) -> None:
    assert_refused(view, token, good(bound()))
    assert_refused(view, token, good(token, ath=jose.encode(b"\0" * 32)))


@pytest.mark.requirement("9449-4.3-e", "9449-6.2-b")
def test_a_proof_by_another_key_than_the_tokens_is_refused(view: Any, token: str) -> None:
    response = send(view, token, good(token, name="two"))

    assert_challenge(response, "invalid_token", scheme="DPoP", algs=ALGS)
    assert view.ran == []


@pytest.mark.requirement("9449-6.2-b")
def test_the_introspection_endpoint_asks_for_no_proof(token: str) -> None:
    answer = endpoints.introspect(token, auth=factories.ResourceServerFactory(introspection_policy="audience")).json()

    assert (answer["active"], answer["cnf"]) == (True, {"jkt": jose.thumbprint()})


@pytest.mark.requirement("9449-7.2-a", "9449-6.2-b")
@pytest.mark.parametrize("scheme", ["Bearer", "DPoP"])
def test_a_remote_answer_binds_like_a_local_one(view: Any, settings: Any, scheme: str) -> None:
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE)
        answer = {
            "aud": AUDIENCE,
            "token_type": "DPoP",
            "cnf": {"jkt": jose.thumbprint()},
            "sub": "1",
            "client_id": "c",
        }
        server.behave("active", **answer)
        asked = [send(view, TOKEN, good(TOKEN, name=name), scheme).status_code for name in ("one", "two")]

    assert asked == ([200, 401] if scheme == "DPoP" else [401, 401])


@pytest.mark.requirement("9449-7.2-a", "9700-2.2.1-a")
def test_a_jwt_binds_like_an_answer(view: Any, settings: Any) -> None:
    with MisbehavingServer() as server:
        publish(server, public())
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings(server.origin)}}
        token = access_token(server.origin, cnf={"jkt": jose.thumbprint("ES256", "holder")})
        asked = [
            send(view, token, good(token, name=name), scheme).status_code
            for scheme, name in (("Bearer", "holder"), ("DPoP", "other"), ("DPoP", "holder"))
        ]

    assert asked == [401, 401, 200]


@pytest.mark.requirement("9449-7.2-a")
@pytest.mark.parametrize("cnf", [{"jkt": jose.thumbprint()}, {"x5t#S256": "x"}, {"unknown": 1}])
def test_a_bound_token_is_no_bearer_token_even_with_its_proof(view: Any, cnf: Any) -> None:
    token = factories.TokenFactory(members={"cnf": cnf}).access_token

    for authenticator, expected in (
        (Both, {"scheme": "DPoP", "algs": ALGS}),  # how the token may be used
        (IntrospectionAuthentication, {"scheme": "Bearer"}),
    ):
        view = protect(authentication_classes=[authenticator])
        response = send(view, token, good(token), "Bearer")
        assert_challenge(response, "invalid_token", **expected)
        assert len(parse_challenges(response["WWW-Authenticate"])) == 1
        assert view.ran == []


@pytest.mark.requirement("9449-7.1-c")
def test_a_token_without_a_key_is_refused_with_any_proof(view: Any) -> None:
    token = factories.TokenFactory().access_token

    assert_challenge(send(view, token, good(token)), "invalid_token", scheme="DPoP", algs=ALGS)
    assert view.ran == []
    assert ask(view, token).status_code == 200


@pytest.mark.requirement("7800-3.1-a")
@pytest.mark.parametrize(
    ("cnf", "status"),
    [
        ({}, 200),
        ({"unknown": {"a": 1}}, 200),
        ({"x5t#S256": "x"}, 401),
        ({"jwk": {"kty": "EC"}}, 401),
        ({"kid": "x"}, 401),
        ({"jkt": "x"}, 401),
        ({"jkt": None}, 401),
    ],
    ids=str,
)
def test_a_proof_is_no_answer_to_another_kind_of_key(view: Any, cnf: Any, status: int) -> None:
    token = bound(**cnf)

    assert send(view, token, good(token)).status_code == status


@pytest.mark.requirement("9449-7.2-a", "7800-3.1-a")
def test_a_token_that_says_it_is_bound_and_not_to_what_is_no_bearer_token(view: Any, settings: Any) -> None:
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE)
        server.behave("active", aud=AUDIENCE, token_type="DPoP", sub="1", client_id="c")

        assert [send(view, TOKEN, good(TOKEN), each).status_code for each in ("Bearer", "DPoP")] == [401, 401]


@pytest.mark.requirement("9449-7.1-b", "9449-7.2-b")
def test_without_credentials_every_scheme_challenges_and_none_tells_an_error(view: Any) -> None:
    def challenges(*authenticators: Any) -> Any:
        return parse_challenges(ask(protect(authentication_classes=list(authenticators)))["WWW-Authenticate"])

    two = challenges(Both)
    assert [(each.scheme, "error" in each.parameters) for each in two] == [("Bearer", False), ("DPoP", False)]
    assert two[1].parameters["algs"] == ALGS
    assert {each.parameters["resource_metadata"] for each in two} == {
        "https://api.example.com/.well-known/oauth-protected-resource/orders"
    }
    assert [each.scheme for each in challenges(DPoP)] == ["DPoP"]
    assert [each.scheme for each in challenges(IntrospectionAuthentication)] == ["Bearer"]


@pytest.mark.requirement("9449-7.2-b", "9449-7.1-b")
def test_an_error_is_told_by_the_scheme_that_was_used(token: str) -> None:
    view = protect(authentication_classes=[Both], permission_classes=[requires_scope("orders:write")])
    weak = factories.TokenFactory().access_token
    asked = [
        ("invalid_token", "Bearer", ask(view, "bad")),
        ("invalid_request", "Bearer", ask(view, "a b")),
        ("insufficient_scope", "Bearer", ask(view, weak)),
        ("invalid_token", "DPoP", send(view, "bad", good("bad"))),
        ("invalid_request", "DPoP", send(view, "a b", None)),
        ("invalid_token", "DPoP", send(view, "é", None)),
        ("insufficient_scope", "DPoP", send(view, token, good(token))),
    ]

    for error, scheme, response in asked:
        assert_challenge(response, error, scheme=scheme)
        assert len(parse_challenges(response["WWW-Authenticate"])) == 1
    assert_challenge(asked[-1][2], "insufficient_scope", scheme="DPoP", scope="orders:write")


def test_where_proofs_are_not_asked_for_or_needed_the_other_scheme_is_somebody_elses(token: str) -> None:
    plain = factories.TokenFactory().access_token
    only, never = protect(authentication_classes=[DPoP]), protect()

    assert_challenge(ask(only, plain), None, scheme="DPoP")
    assert_challenge(send(never, token, good(token)), None)
    assert only.ran == never.ran == []


def test_a_token_in_a_form_is_a_bearer_token(token: str) -> None:
    forms = type("Forms", (Both,), {"bearer_methods": ("header", "body")})
    only = type("Only", (DPoP,), {"bearer_methods": ("header", "body")})
    form = {"data": "access_token={}", "content_type": "application/x-www-form-urlencoded"}

    def post(authenticator: Any, token: str) -> Any:
        urls = ModuleType("urls")
        urls.urlpatterns = [path("orders", protect(authentication_classes=[authenticator]).as_view())]
        with override_settings(ROOT_URLCONF=urls):
            proof = good(token, htm="POST")
            return Browser().post("/orders", **{**form, "data": f"access_token={token}"}, headers={"DPoP": proof})

    assert post(forms, factories.TokenFactory().access_token).status_code == 200
    assert_challenge(post(forms, token), "invalid_token", scheme="DPoP")
    assert_challenge(post(only, factories.TokenFactory().access_token), None, scheme="DPoP")


@pytest.mark.requirement("9449-11.1-a")
@pytest.mark.parametrize(
    ("age", "status"), [(-31, 401), (-29, 200), (0, 200), (59, 200), (61, 401), (3600, 401), (-(10**9), 401)]
)
def test_a_proof_is_good_for_a_minute_and_hardly_before(view: Any, token: str, age: int, status: int) -> None:
    with time_machine.travel(time.time() // 1, tick=False):
        assert send(view, token, good(token, iat=int(time.time()) - age)).status_code == status


@pytest.mark.requirement("9449-11.1-b")
def test_a_proof_is_good_once(view: Any, token: str) -> None:
    proof = good(token)
    assert send(view, token, proof).status_code == 200
    view.ran.clear()

    assert_refused(view, token, proof)
    assert_refused(view, token, jose.other_signature(proof))
    assert_refused(view, token, good(token, jti=jose.read(proof)[1]["jti"], htu="https://api.example.com:443/orders?x"))


@pytest.mark.requirement("9449-11.1-b")
def test_a_long_jti_is_accepted_and_not_visible_in_cache_keys(view: Any, token: str) -> None:
    proof = good(token, jti="long" * 2000)

    assert send(view, token, proof).status_code == 200
    view.ran.clear()
    assert_refused(view, token, proof)


def test_the_same_jti_of_another_key_or_uri_is_another_proof(view: Any, token: str) -> None:
    other = bound("two")

    assert send(view, token, good(token, jti="1")).status_code == 200
    assert send(view, other, good(other, name="two", jti="1")).status_code == 200
    assert send(view, token, good(token, jti="1", htu=f"{AUDIENCE}/1"), path="/orders/1").status_code == 200


@pytest.mark.requirement("9449-11.1-b")
def test_a_proof_is_remembered_as_long_as_it_is_good(view: Any, token: str) -> None:
    with time_machine.travel(time.time() // 1, tick=False) as clock:
        proof = good(token, iat=int(time.time()) + 30)
        assert send(view, token, proof).status_code == 200
        view.ran.clear()
        clock.shift(89)
        assert_refused(view, token, proof)


def test_a_proof_with_a_bad_token_is_not_used_up(view: Any, token: str) -> None:
    proof = good(token)
    with override_settings(
        TOKEN_INTROSPECTION={
            "BACKENDS": {
                "default": {**PROJECT["BACKENDS"]["default"], "OPTIONS": {"audience": "https://api.example.com/x"}}
            }
        }
    ):
        assert send(view, token, proof).status_code == 401
    token_backends.close()

    assert send(view, token, proof).status_code == 200


def test_under_asgi_a_proof_with_a_bad_token_is_not_used_up(token: str) -> None:
    proof = jose.proof(token, "https://api.example.com/coroutine")
    other = {**PROJECT["BACKENDS"]["default"], "OPTIONS": {"audience": "https://api.example.com/x"}}
    with override_settings(ROOT_URLCONF=urls, TOKEN_INTROSPECTION={**PROJECT, "BACKENDS": {"default": other}}):
        assert async_to_sync(send_to_coroutine)(token, proof).status_code == 401
    token_backends.close()

    with override_settings(ROOT_URLCONF=urls):
        assert async_to_sync(send_to_coroutine)(token, proof).status_code == 200
        assert async_to_sync(send_to_coroutine)(token, proof).status_code == 401


@pytest.mark.requirement("9449-11.1-b")
def test_what_cannot_be_remembered_is_not_believed(view: Any, token: str, settings: Any, caplog: Any) -> None:
    settings.CACHES = {**settings.CACHES, "broken": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**PROJECT, "REPLAY_CACHE": "broken"}

    assert_unavailable(send(view, token, good(token)), view)
    assert "ConnectionError" in caplog.text
    assert "password" not in caplog.text


@pytest.mark.requirement("9449-11.1-b")
def test_a_task_waits_a_moment_for_a_hung_cache_of_used_proofs(
    token: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_caches.HungCache, "gives_up_after", 30)
    test_caches.HungCache.released.clear()
    test_caches.CALLS.clear()
    settings.CACHES = {**settings.CACHES, "hung": {"BACKEND": "tests.caches.HungCache"}}
    settings.TOKEN_INTROSPECTION = {**PROJECT, "REPLAY_CACHE": "hung"}
    settings.ROOT_URLCONF = urls

    async def statuses() -> list[int]:
        proofs = [jose.proof(token, "https://api.example.com/coroutine") for _ in range(40)]
        try:
            return [(await send_to_coroutine(token, proof)).status_code for proof in proofs]
        finally:
            assert not test_caches.HungCache.released.is_set()
            test_caches.HungCache.released.set()  # or the loop would wait for its threads

    assert async_to_sync(statuses)() == [503] * 40
    assert test_caches.CALLS.count("hung") <= 2, "the cache is left alone for a while"


async def send_to_coroutine(token: str, proof: str) -> Any:
    return await AsyncClient().get("/coroutine", headers={"Authorization": f"DPoP {token}", "DPoP": proof})


@pytest.mark.requirement("9449-9-a", "9449-11.3-a")
def test_where_nonces_are_asked_for_a_proof_without_one_is_refused_and_gets_one(
    view: Any, token: str, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**PROJECT, "DPOP_NONCE": True}

    refused = send(view, token, good(token))
    nonce = refused["DPoP-Nonce"]

    assert_challenge(refused, "use_dpop_nonce", scheme="DPoP", algs=ALGS)
    assert refused["Cache-Control"] == "no-store"
    assert send(view, token, good(token, nonce=nonce)).status_code == 200
    view.ran.clear()
    for other in (None, "", nonce[:-1], jose.encode(b"\0" * 32), 7, [nonce]):
        again = send(view, token, good(token, nonce=other))
        assert_challenge(again, "use_dpop_nonce", scheme="DPoP")
        assert again["DPoP-Nonce"] == nonce
    assert view.ran == []


@pytest.mark.requirement("9449-4.3-e", "9449-9-a")
@pytest.mark.parametrize("age", [-(10**9), -3600, 3600, 10**9])
def test_a_nonce_stands_in_for_a_wrong_clock(view: Any, token: str, settings: Any, age: int) -> None:
    """RFC 9449 §4.3 item 11: the time is that of `iat` or of the nonce; a client with a wrong clock learns one."""
    settings.TOKEN_INTROSPECTION = {**PROJECT, "DPOP_NONCE": True}
    wrong = int(time.time()) - age

    refused = send(view, token, good(token, iat=wrong))
    assert_challenge(refused, "use_dpop_nonce", scheme="DPoP", algs=ALGS)
    proof = good(token, iat=wrong, nonce=refused["DPoP-Nonce"])
    assert send(view, token, proof).status_code == 200
    view.ran.clear()
    assert_refused(view, token, proof)
    for iat in ("now", None, True):
        assert_refused(view, token, good(token, iat=iat, nonce=refused["DPoP-Nonce"]))


@pytest.mark.requirement("9449-11.1-b")
def test_a_proof_with_a_nonce_is_remembered_as_long_as_the_nonce_is_valid(view: Any, token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**PROJECT, "DPOP_NONCE": True}
    with time_machine.travel(time.time() // 300 * 300, tick=False) as clock:  # a window of nonces begins
        nonce = send(view, token, good(token))["DPoP-Nonce"]
        proof = good(token, iat=7, nonce=nonce)
        assert send(view, token, proof).status_code == 200
        (seconds,) = test_caches.lives(caches["default"], ":proof:")
        assert 600 < seconds <= 602, "and not much longer"
        view.ran.clear()
        clock.shift(599)
        assert_refused(view, token, proof)
        clock.shift(1)
        assert_challenge(send(view, token, proof), "use_dpop_nonce", scheme="DPoP")
    assert view.ran == []


@pytest.mark.requirement("9449-9-a", "9449-11.3-a")
def test_a_nonce_ends_and_another_secret_makes_others(view: Any, token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**PROJECT, "DPOP_NONCE": True}
    with time_machine.travel(time.time() // 1, tick=False) as clock:
        nonce = send(view, token, good(token))["DPoP-Nonce"]
        clock.shift(300)
        assert send(view, token, good(token, nonce=nonce)).status_code == 200
        clock.shift(300)
        assert send(view, token, good(token, nonce=nonce)).status_code == 401
        fresh = send(view, token, good(token))["DPoP-Nonce"]
        with override_settings(SECRET_KEY="another"):
            assert send(view, token, good(token, nonce=fresh))["DPoP-Nonce"] != fresh


def test_without_the_setting_no_nonce_is_given_or_read(view: Any, token: str) -> None:
    response = send(view, token, good(token, nonce="of somebody else"))

    assert response.status_code == 200
    assert "DPoP-Nonce" not in response
    assert "DPoP-Nonce" not in send(view, token, None)


@token_required(schemes=("Bearer", "DPoP"))
def function(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


@token_required(schemes=("Bearer", "DPoP"))
async def coroutine(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


async def unprotected(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urls = ModuleType("urls")
urls.urlpatterns = [
    path("function", function),
    path("coroutine", coroutine),
    path("inside/plain", unprotected),
    path("inside/drf", protect(authentication_classes=[DPoP]).as_view()),
    path("", include("django_introspection.well_known_urls")),
]
PATHS = {**PROJECT, "DPOP_NONCE": True, "PROTECTED_PATHS": {"/inside/": {"SCHEMES": ["Bearer", "DPoP"]}}}
INSIDE = [*MIDDLEWARE, "django_introspection.middleware.ProtectedPaths"]


def get(path: str, token: str, proof: str, asynchronous: bool = False) -> Any:
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    if asynchronous:
        return async_to_sync(AsyncClient().get)(path, headers=headers)
    return Browser().get(path, headers=headers)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("place", ["/function", "/coroutine", "/inside/plain", "/inside/drf"])
@override_settings(ROOT_URLCONF=urls, MIDDLEWARE=INSIDE, TOKEN_INTROSPECTION=PATHS)
def test_every_face_asks_for_the_proof_and_two_ask_once(place: str, asynchronous: bool, token: str) -> None:
    uri = f"https://api.example.com{place}"
    refused = get(place, token, jose.proof(token, uri), asynchronous)
    nonce = refused["DPoP-Nonce"]
    proof = jose.proof(token, uri, nonce=nonce)

    assert_challenge(refused, "use_dpop_nonce", scheme="DPoP")
    assert get(place, token, proof, asynchronous).status_code == 200
    assert_challenge(get(place, token, proof, asynchronous), "invalid_dpop_proof", scheme="DPoP")
    other = jose.proof(token, uri, nonce=nonce, name="two")
    assert_challenge(get(place, token, other, asynchronous), "invalid_token", scheme="DPoP")
    without = Browser().get(place)
    assert [each.scheme for each in parse_challenges(without["WWW-Authenticate"])] == ["Bearer", "DPoP"]


@pytest.mark.parametrize("schemes", [(), ("dpop",), "DPoP", None, ("DPoP", "DPoP"), ("Basic",), ([],)])
def test_a_scheme_that_there_is_not_is_refused_where_it_is_named(schemes: Any) -> None:
    with pytest.raises(ValueError, match="Bearer, DPoP"):
        token_required(schemes=schemes)


@pytest.mark.processes
@pytest.mark.requirement("9449-11.1-b")
def test_a_proof_is_good_once_among_all_processes(tmp_path: Any) -> None:
    proof = good(TOKEN)
    with MisbehavingServer() as server:
        server.behave("active", aud=AUDIENCE, token_type="DPoP", cnf={"jkt": jose.thumbprint()}, sub="1", client_id="c")
        environment = {"INTROSPECTION_URL": server.url, "CACHE_DIRECTORY": str(tmp_path)}
        ran = [
            run_module(f"{ONLY}.proofs", f"{ONLY}.with_proofs", TOKEN, each, **environment)
            for each in (proof, proof, good(TOKEN))
        ]

    assert [each.split() for each in ran] == [["200"], ["401", "invalid_dpop_proof"], ["200"]]


@pytest.mark.requirement("9449-11.1-b")
def test_of_many_threads_with_one_proof_one_gets_in(settings: Any) -> None:
    view = protect(authentication_classes=[DPoP])
    proof = good(TOKEN)
    with MisbehavingServer() as server, ThreadPoolExecutor(8) as threads:
        settings.TOKEN_INTROSPECTION = server.settings(audience=AUDIENCE)
        server.behave("active", aud=AUDIENCE, token_type="DPoP", cnf={"jkt": jose.thumbprint()}, sub="1", client_id="c")
        asked = list(threads.map(lambda _: send(view, TOKEN, proof).status_code, range(8)))

    assert sorted(asked) == [200, *[401] * 7]


@pytest.mark.requirement("9728-2-c")
@pytest.mark.parametrize(
    ("authenticators", "members"),
    [
        ([IntrospectionAuthentication], {}),
        ([IntrospectionAuthentication, DPoP], {"dpop_signing_alg_values_supported": list(SIGNING_ALGORITHMS)}),
        (
            [DPoP],
            {
                "dpop_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
                "dpop_bound_access_tokens_required": True,
            },
        ),
    ],
)
def test_the_document_of_the_resource_says_what_its_views_take(authenticators: Any, members: Any) -> None:
    urls = ModuleType("urls")
    views = [protect(authentication_classes=[each]).as_view() for each in authenticators]
    urls.urlpatterns = [
        path("", include("django_introspection.well_known_urls")),
        *(path(f"{number}", view) for number, view in enumerate(views)),
    ]
    with override_settings(ROOT_URLCONF=urls):
        document = Browser().get("/.well-known/oauth-protected-resource/orders").json()

    assert {name: value for name, value in document.items() if name.startswith("dpop_")} == members


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
CLAIMS = st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce", "exp"]), JSON, min_size=1)
HEADER = st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "kid", "crit", "jku", "x5c"]), JSON, min_size=1)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(header=HEADER | st.just({}), claims=CLAIMS | st.just({"jti": ""}))
def test_no_hostile_proof_opens_the_view_or_breaks_it(view: Any, token: str, header: Any, claims: Any) -> None:
    """A few of these are good proofs, such as one with a `kid` or another `jti`; nothing else may be."""
    response = send(view, token, good(token, header=header, **claims))

    if response.status_code == 200:
        assert not {"htm", "htu", "iat", "ath", "typ", "jwk", "alg", "crit"} & {
            name for name, value in {**header, **claims}.items() if value is not None
        }
    else:
        assert_challenge(response, "invalid_dpop_proof", scheme="DPoP")
