"""RFC 9449 from the authorization server's side: tokens that are bound to the key of a proof."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.test import AsyncClient, override_settings
from django.test import Client as Browser

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.models import Client, Token
from django_introspection.models.fields import now
from django_introspection.protocol.dpop import MAX_AGE
from django_introspection.protocol.jwt import SIGNING_ALGORITHMS
from django_introspection.signals import client_authentication_failed
from django_introspection.testing import assert_challenge
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused, introspecting_client
from tests.authorization_server.racing import in_threads
from tests.projects.run import run_module
from tests.resource_server.protected import ask, protect
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db

TOKEN_URI = f"{ISSUER}/oauth/token"
INTROSPECTION_URI = f"{ISSUER}/oauth/introspect"
GRANT = {"grant_type": "client_credentials", "scope": "orders:read"}
NONCES = {**TOKEN_INTROSPECTION, "ENDPOINTS_DPOP_NONCE": True}


class Both(IntrospectionAuthentication):
    schemes = ("Bearer", "DPoP")


def proof(uri: str = TOKEN_URI, **changes: Any) -> str:
    """Make a proof for a POST without an access token."""
    return jose.proof("", uri, **{"htm": "POST", "ath": None, **changes})


def request(registration: Any, value: str | None = None, form: Any = GRANT) -> Any:
    headers = {} if value is None else {"DPoP": value}
    return endpoints.post("/oauth/token", form, auth=registration, headers=headers)


@pytest.fixture
def use_jwt(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.private("ES256", "server")}]}


@pytest.mark.requirement("9449-5-b", "9449-6.2-a", "9449-4.2-a", "9449-4.3-a")
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_a_token_is_bound_to_the_key_of_the_proof(machine: Any, resource_server: Any, alg: str) -> None:
    answer = request(machine, proof(alg=alg))
    told = endpoints.introspect(answer.json()["access_token"], auth=resource_server).json()

    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
    assert (told["cnf"], told["token_type"]) == ({"jkt": jose.thumbprint(alg)}, "DPoP")
    assert "DPoP-Nonce" not in answer


@pytest.mark.requirement("9449-6.1-a", "9449-5-b")
def test_a_jwt_names_the_key_that_it_is_bound_to(use_jwt: None) -> None:
    machine = factories.RegistrationFactory(access_token_format="jwt")

    answer = request(machine, proof()).json()

    assert answer["token_type"] == "DPoP"
    assert jose.read(answer["access_token"])[1]["cnf"] == {"jkt": jose.thumbprint()}


@pytest.mark.requirement("9449-7.1-a", "9449-7.2-a")
@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_the_token_opens_a_view_with_a_proof_and_not_as_a_bearer_token(use_jwt: None, token_format: str) -> None:
    machine = factories.RegistrationFactory(access_token_format=token_format)
    token = request(machine, proof()).json()["access_token"]
    view = protect(authentication_classes=[Both])

    def present(scheme: str, name: str) -> Any:
        headers = {"Authorization": f"{scheme} {token}", "DPoP": jose.proof(token, AUDIENCE, name=name)}
        return ask(view, headers=headers)

    assert present("DPoP", "one").status_code == 200
    assert_challenge(present("DPoP", "two"), "invalid_token", scheme="DPoP")
    assert_challenge(present("Bearer", "one"), "invalid_token", scheme="DPoP")


def test_without_a_proof_a_token_is_a_bearer_token(machine: Any) -> None:
    assert request(machine).json()["token_type"] == "Bearer"
    assert Token.objects.get().members == {}


@pytest.mark.requirement("9449-5-a", "9449-4.1-a", "9449-4.2-a", "9449-4.2-b", "9449-4.3-a", "9449-4.3-b", "9449-4.3-c")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b.c",
        lambda: f"{proof()},{proof()}",
        lambda: proof(header={"typ": "JWT"}),
        lambda: proof(header={"jwk": None}),
        lambda: proof(header={"jwk": jose.private("ES256")}),
        lambda: proof(header={"jwk": {"kty": "oct", "k": "AAAA"}}),
        lambda: proof(header={"alg": "none"}),
        lambda: proof(header={"alg": "HS256"}),
        lambda: proof(header={"alg": "RS256"}),
        lambda: jose.hmac_signed({**jose.read(proof())[0], "alg": "HS256"}, jose.read(proof())[1], b"public"),
        lambda: proof(signer=jose.key("ES256", "two")),
        lambda: proof(jti=None),
        lambda: proof(htm=None),
        lambda: proof(htm="GET"),
        lambda: proof(htm="post"),
        lambda: proof(htu=None),
        lambda: proof(iat=None),
        lambda: proof(INTROSPECTION_URI),
        lambda: proof("http://testserver/oauth/token"),
        lambda: proof("https://auth.example.com:8443/oauth/token"),
        lambda: proof(f"{TOKEN_URI}/"),
        lambda: proof(iat=int(time.time()) - MAX_AGE - 5),
        lambda: proof(iat=int(time.time()) + 40),
    ],
)
def test_an_invalid_proof_is_refused_and_no_token_issued(machine: Any, value: Any) -> None:
    sent = value() if callable(value) else value

    assert_refused(request(machine, sent), 400, "invalid_dpop_proof", *filter(None, [sent]))
    assert not Token.objects.exists()


@pytest.mark.requirement("9449-4.3-c")
@pytest.mark.parametrize("uri", [f"{TOKEN_URI}?x=1#y", "HTTPS://AUTH.example.com:443/oauth/./%74oken"])
def test_the_uri_of_a_proof_is_compared_in_its_normal_form(machine: Any, uri: str) -> None:
    assert request(machine, proof(uri)).status_code == 200


@pytest.mark.requirement("9449-4.3-c")
def test_an_origin_of_the_settings_is_one_of_the_token_endpoint(machine: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ORIGINS": ["https://eu.example.com"]}

    assert request(machine, proof("https://eu.example.com/oauth/token")).status_code == 200
    assert request(machine, proof()).status_code == 200


@pytest.mark.requirement("9449-4.3-c")
def test_headers_of_a_request_do_not_change_the_uri(machine: Any, settings: Any) -> None:
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["*"]
    claimed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    headers = {"DPoP": proof("https://evil.example/oauth/token"), **claimed}

    assert endpoints.post("/oauth/token", GRANT, auth=machine, headers=headers).status_code == 400


@pytest.mark.requirement("9449-11.1-a")
@pytest.mark.parametrize(("age", "status"), [(-31, 400), (-29, 200), (59, 200), (61, 400)])
def test_a_proof_is_accepted_for_a_minute(machine: Any, age: int, status: int) -> None:
    with time_machine.travel(time.time() // 1, tick=False):
        assert request(machine, proof(iat=int(time.time()) - age)).status_code == status


@pytest.mark.requirement("9449-11.1-b")
def test_a_proof_gets_one_token(machine: Any) -> None:
    value = proof()

    assert request(machine, value).status_code == 200
    assert_refused(request(machine, value), 400, "invalid_dpop_proof")
    assert_refused(request(machine, jose.other_signature(value)), 400, "invalid_dpop_proof")
    assert_refused(request(factories.RegistrationFactory(), value), 400, "invalid_dpop_proof")
    assert Token.objects.count() == 1


@pytest.mark.requirement("9449-11.1-b")
def test_a_failed_authentication_uses_no_proof(machine: Any) -> None:
    value = proof()

    assert_refused(request((machine.client, "x" * 40), value), 401, "invalid_client")
    assert request(machine, value).status_code == 200


def test_a_proof_of_the_token_endpoint_is_none_for_a_view_and_none_there_for_here(machine: Any) -> None:
    token = request(machine, proof()).json()["access_token"]
    view = protect(authentication_classes=[Both])

    answer = ask(view, headers={"Authorization": f"DPoP {token}", "DPoP": proof()})

    assert_challenge(answer, "invalid_dpop_proof", scheme="DPoP")
    assert_refused(request(machine, jose.proof(token, AUDIENCE)), 400, "invalid_dpop_proof")


@pytest.mark.parametrize("client", [Browser, AsyncClient], ids=["wsgi", "asgi"])
def test_a_prefix_that_a_proxy_takes_off_is_part_of_the_uri(machine: Any, settings: Any, client: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/identity"
    # a use to record is work behind the answer, for which the test client takes a thread whose connection stays open
    machine.client.secrets.update(last_used_at=now())
    authorization = endpoints.basic(machine[0].client_id, machine[1])
    asked = []
    for uri in (f"{ISSUER}/identity/oauth/token", TOKEN_URI):
        headers = {"Authorization": authorization, "DPoP": proof(uri)}
        post = client().post if client is Browser else async_to_sync(client().post)
        asked.append(post("/oauth/token", urlencode(GRANT), content_type=endpoints.FORM, headers=headers))

    assert [each.status_code for each in asked] == [200, 400]


@pytest.mark.requirement("9449-11.1-b")
def test_without_the_cache_of_used_proofs_the_answer_is_503(machine: Any, settings: Any, caplog: Any) -> None:
    settings.CACHES = {**settings.CACHES, "broken": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REPLAY_CACHE": "broken"}

    assert_refused(request(machine, proof()), 503, "temporarily_unavailable")
    assert not Token.objects.exists()
    assert "password" not in caplog.text
    assert request(machine).status_code == 200


@pytest.mark.parametrize("missing", ["issuer", "extra"])
def test_a_server_that_cannot_verify_proofs_refuses_them(
    machine: Any, settings: Any, monkeypatch: Any, caplog: Any, missing: str
) -> None:
    if missing == "issuer":
        settings.TOKEN_INTROSPECTION = {}
    else:
        monkeypatch.setattr("django_introspection.authorization_server.dpop.is_installed", lambda: False)

    assert_refused(request(machine, proof()), 400, "invalid_dpop_proof")
    assert "ISSUER or the extra jwt is missing" in caplog.text
    assert request(machine).json()["token_type"] == "Bearer"


@pytest.mark.requirement("9449-5.2-a")
def test_a_client_for_bound_tokens_alone_gets_none_without_a_proof() -> None:
    bound = factories.RegistrationFactory(dpop_bound_access_tokens=True)

    assert_refused(request(bound), 400, "invalid_dpop_proof")
    assert not Token.objects.exists()
    assert request(bound, proof()).json()["token_type"] == "DPoP"


@pytest.mark.requirement("9449-5-c")
@pytest.mark.parametrize("members", [{}, {"cnf": {"jkt": jose.thumbprint("ES256", "old")}}], ids=["free", "bound"])
def test_a_refresh_binds_to_its_own_proof_because_every_client_authenticates(user: Any, members: Any) -> None:
    machine = factories.RegistrationFactory(grant_types=["refresh_token"])
    issued = factories.TokenFactory(client=machine.client, user=user, refresh=True, members=members)
    refresh_token = issued.refresh_token

    for name in ("one", "two"):
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = request(machine, proof(name=name), form).json()
        token = Token.objects.filter(kind="access").latest("pk")
        assert (answer["token_type"], token.members) == ("DPoP", {"cnf": {"jkt": jose.thumbprint("ES256", name)}})
        refresh_token = answer["refresh_token"]
    assert Token.objects.filter(kind="refresh").latest("pk").members == members


def test_a_refresh_without_a_proof_keeps_the_binding_of_its_grant(user: Any) -> None:
    machine = factories.RegistrationFactory(grant_types=["refresh_token"])
    cnf = {"jkt": jose.thumbprint()}
    issued = factories.TokenFactory(client=machine.client, user=user, refresh=True, members={"cnf": cnf})
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}

    assert request(machine, None, form).json()["token_type"] == "DPoP"
    assert Token.objects.filter(kind="access").latest("pk").members == {"cnf": cnf}


@pytest.mark.requirement("9449-5.2-a", "9449-5-a")
@pytest.mark.parametrize("value", [None, "a.b.c"])
def test_a_refused_proof_does_not_use_the_refresh_token(user: Any, value: str | None) -> None:
    machine = factories.RegistrationFactory(grant_types=["refresh_token"], dpop_bound_access_tokens=True)
    refresh_token = factories.TokenFactory(client=machine.client, user=user, refresh=True).refresh_token
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}

    assert_refused(request(machine, value, form), 400, "invalid_dpop_proof")
    assert request(machine, proof(), form).status_code == 200


@pytest.mark.requirement("9449-8-a", "9449-8-b", "9449-8.2-a", "9449-11.3-a")
def test_a_proof_needs_a_recent_nonce_if_the_setting_says_so(machine: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = NONCES
    with time_machine.travel(time.time() // 300 * 300, tick=False) as clock:
        refused = request(machine, proof())
        nonce = refused["DPoP-Nonce"]
        assert_refused(refused, 400, "use_dpop_nonce")
        for other in (None, "", nonce[:-1], jose.encode(b"\0" * 32), 7, [nonce]):
            again = request(machine, proof(nonce=other))
            assert_refused(again, 400, "use_dpop_nonce")
            assert again["DPoP-Nonce"] == nonce
        assert request(machine, proof(nonce=nonce))["DPoP-Nonce"] == nonce
        clock.shift(300)
        later = request(machine, proof(nonce=nonce))
        assert (later.status_code, later["Cache-Control"]) == (200, "no-store")
        assert later["DPoP-Nonce"] != nonce
        clock.shift(300)
        assert_refused(request(machine, proof(nonce=nonce)), 400, "use_dpop_nonce")
        assert request(machine, proof(nonce=later["DPoP-Nonce"])).status_code == 200
    assert "DPoP-Nonce" not in request(machine)


@pytest.mark.requirement("9449-8-a", "9449-9-a")
def test_nonces_depend_on_the_secret_key_and_on_the_side(machine: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**NONCES, "DPOP_NONCE": True}
    nonce = request(machine, proof())["DPoP-Nonce"]
    token = request(machine, proof(nonce=nonce)).json()["access_token"]
    view = protect(authentication_classes=[Both])

    answer = ask(view, headers={"Authorization": f"DPoP {token}", "DPoP": jose.proof(token, AUDIENCE, nonce=nonce)})

    assert_challenge(answer, "use_dpop_nonce", scheme="DPoP")
    assert_refused(request(machine, proof(nonce=answer["DPoP-Nonce"])), 400, "use_dpop_nonce")
    with override_settings(SECRET_KEY="another"):
        assert_refused(request(machine, proof(nonce=nonce)), 400, "use_dpop_nonce")


@pytest.mark.requirement("9449-5.1-a")
def test_the_metadata_name_the_algorithms_of_proofs(monkeypatch: Any) -> None:
    document = "/.well-known/oauth-authorization-server"

    assert Browser().get(document).json()["dpop_signing_alg_values_supported"] == list(SIGNING_ALGORITHMS)
    monkeypatch.setattr("django_introspection.authorization_server.dpop.is_installed", lambda: False)
    assert "dpop_signing_alg_values_supported" not in Browser().get(document).json()


@pytest.fixture
def caller_token() -> str:
    """A token to introspect with, which is bound to the key `one`."""
    caller = introspecting_client(dpop_bound_access_tokens=True)
    form = {"grant_type": "client_credentials", "scope": "introspection"}
    return str(request(caller, proof(), form).json()["access_token"])


def introspect_as(token: str, value: str | None, scheme: str = "DPoP", about: str = "unknown") -> Any:
    headers = {} if value is None else {"DPoP": value}
    return endpoints.introspect(about, auth=f"{scheme} {token}", headers=headers)


def caller_proof(token: str, **changes: Any) -> str:
    return jose.proof(token, INTROSPECTION_URI, **{"htm": "POST", **changes})


@pytest.mark.requirement("9449-7.1-a", "9449-7.2-a", "9449-4.3-d", "9449-11.1-b")
def test_a_caller_of_introspection_may_prove_the_key_of_its_token(caller_token: str) -> None:
    value = caller_proof(caller_token)
    about = factories.TokenFactory(client=Client.objects.get()).access_token

    assert introspect_as(caller_token, value, about=about).json()["active"] is True
    for sent in (value, None, "a.b.c", caller_proof("other"), caller_proof(caller_token, htm="GET"), proof()):
        refused = introspect_as(caller_token, sent)
        assert_refused(refused, 401, "invalid_dpop_proof")
        assert_challenge(refused, "invalid_dpop_proof", scheme="DPoP", algs=" ".join(SIGNING_ALGORITHMS))
    for scheme, name in (("DPoP", "two"), ("Bearer", "one")):
        refused = introspect_as(caller_token, caller_proof(caller_token, name=name), scheme)
        assert_refused(refused, 401, "invalid_token")
        assert_challenge(refused, "invalid_token", scheme=scheme)


@pytest.mark.requirement("9449-7.1-c")
def test_a_caller_with_an_unbound_token_cannot_use_the_scheme_of_proofs() -> None:
    caller = introspecting_client()
    token = request(caller, None, {**GRANT, "scope": "introspection"}).json()["access_token"]

    assert_refused(introspect_as(token, caller_proof(token)), 401, "invalid_token")


def test_a_caller_with_a_bad_token_uses_up_no_proof(caller_token: str) -> None:
    value = caller_proof(caller_token)
    Client.objects.update(is_active=False)
    assert_refused(introspect_as(caller_token, value), 401, "invalid_token")
    Client.objects.update(is_active=True)

    assert introspect_as(caller_token, value).status_code == 200


@pytest.mark.requirement("9449-8-a")
def test_a_caller_learns_the_nonce_of_the_endpoints(caller_token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = NONCES

    refused = introspect_as(caller_token, caller_proof(caller_token))

    assert_refused(refused, 401, "use_dpop_nonce")
    assert_challenge(refused, "use_dpop_nonce", scheme="DPoP")
    value = caller_proof(caller_token, nonce=refused["DPoP-Nonce"])
    assert introspect_as(caller_token, value).status_code == 200


def test_strangers_who_guess_keep_no_caller_from_learning_the_nonce(caller_token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**NONCES, "THROTTLE": {"FAILURES": 2, "PERIOD": 3600}}
    assert [endpoints.introspect("x", auth="Bearer guess").status_code for _ in range(4)] == [401, 401, 429, 429]

    for _ in range(4):
        refused = introspect_as(caller_token, caller_proof(caller_token))
        assert_refused(refused, 401, "use_dpop_nonce")

    assert introspect_as(caller_token, caller_proof(caller_token, nonce=refused["DPoP-Nonce"])).status_code == 200


def test_a_nonce_that_is_asked_for_is_no_failed_authentication(caller_token: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = NONCES
    heard: list[Any] = []

    def hear(**signal: Any) -> None:
        heard.append(signal["reason"])

    client_authentication_failed.connect(hear)
    try:
        introspect_as(caller_token, caller_proof(caller_token))
        assert heard == []
        introspect_as(caller_token, "a.b.c")
        assert len(heard) == 1
    finally:
        client_authentication_failed.disconnect(hear)


def test_every_answer_to_a_proof_has_the_next_nonce(caller_token: str, machine: Any, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = NONCES
    nonce = request(machine, proof())["DPoP-Nonce"]

    answers = [
        introspect_as(caller_token, caller_proof(caller_token, nonce=nonce)),
        introspect_as("unknown", caller_proof("unknown", nonce=nonce)),
        request(machine, proof(nonce=nonce), {**GRANT, "scope": "unknown"}),
        request(machine, proof(nonce=nonce), {}),
    ]

    assert [each.status_code for each in answers] == [200, 401, 400, 400]
    assert [each.headers.get("DPoP-Nonce") for each in answers] == [nonce] * 4
    assert "DPoP-Nonce" not in request(machine)


@pytest.mark.requirement("9449-11.1-b")
@pytest.mark.django_db(transaction=True)
def test_of_many_threads_with_one_proof_one_gets_a_token(database_url: str, machine: Any) -> None:
    value = proof()
    statuses: list[int] = []

    in_threads([lambda: statuses.append(request(machine, value).status_code)] * 8)

    assert sorted(statuses) == [200, *[400] * 7]


@pytest.mark.processes
@pytest.mark.requirement("9449-11.1-b", "9449-8-a")
def test_a_proof_gets_one_token_among_processes_that_know_each_others_nonces(
    database_url: str, machine: Any, settings: Any, tmp_path: Any
) -> None:
    settings.TOKEN_INTROSPECTION = NONCES
    nonce = request(machine, proof())["DPoP-Nonce"]  # of this process
    environment = {"DATABASE_URL": database_url, "COUNTS": str(tmp_path), "ENDPOINTS_DPOP_NONCE": "1"}

    def ask_another(value: str) -> list[str]:
        arguments = (machine.client.client_id, machine.secret, json.dumps({"DPoP": value}))
        return run_module(
            "tests.projects.request_token", "tests.machines.nginx_site", *arguments, **environment
        ).split()

    value = proof(nonce=nonce)
    assert [ask_another(each) for each in (value, value, proof(nonce=nonce), proof())] == [
        ["200"],
        ["400", "invalid_dpop_proof"],
        ["200"],
        ["400", "use_dpop_nonce"],
    ]


def test_a_token_request_without_a_proof_uses_no_cache(machine: Any, settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "broken": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**NONCES, "REPLAY_CACHE": "broken"}

    assert request(machine).status_code == 200


@pytest.mark.parametrize("format_", ["opaque", "jwt"])
def test_a_proof_costs_no_statement(use_jwt: None, django_assert_num_queries: Any, format_: str) -> None:
    machine = factories.RegistrationFactory(access_token_format=format_)
    request(machine)
    with django_assert_num_queries(4):
        request(machine)
    with django_assert_num_queries(4):
        request(machine, proof())
