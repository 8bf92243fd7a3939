"""Clients that authenticate with a JWT they signed (RFC 7521, RFC 7523, draft-ietf-oauth-rfc7523bis)."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from django_introspection.authorization_server.issuing import Registration
from django_introspection.models import Client, ClientSecret
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import ENDPOINTS, assert_refused, whole
from tests.settings import ISSUER, TOKEN_INTROSPECTION

GRANT = {"grant_type": "client_credentials"}
FORMS = {"/oauth/introspect": {"token": "unknown"}, "/oauth/token": GRANT, "/oauth/revoke": {"token": "unknown"}}

pytestmark = pytest.mark.django_db


def signing_client(*keys: dict[str, Any], **metadata: Any) -> Client:
    """Register a client with public keys; an ES256 key by default."""
    jwks = {"keys": list(keys) or [jose.public("ES256")]}
    registration: Registration = factories.RegistrationFactory(
        token_endpoint_auth_method="private_key_jwt", jwks=jwks, **metadata
    )
    assert registration.secret is None
    return registration.client


@pytest.fixture
def shop(db: None) -> Client:
    return signing_client()


def send(path: str, value: str, **kwargs: Any) -> Any:
    """Send an assertion with the form of an endpoint; `form` adds to it."""
    form = {**FORMS[path], **jose.asserting(value), **kwargs.pop("form", {})}
    return endpoints.post(path, {name: each for name, each in form.items() if each is not None}, **kwargs)


@pytest.mark.requirement("7523-5-a", "23b-4-a", "23b-4-b", "9068-2.1-b")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_an_assertion_of_each_algorithm_is_good_at_every_endpoint(path: str, alg: str) -> None:
    client = signing_client(jose.public(alg, kid="a"))

    response = send(path, jose.assertion(client.client_id, alg=alg, header={"kid": "a"}))

    assert response.status_code == 200


@pytest.mark.requirement("7521-4.2-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion_type": "jwt-bearer"},
        {"client_assertion": None},
        {"client_assertion": ""},
    ],
)
def test_an_assertion_needs_its_type_and_itself(shop: Client, path: str, form: dict[str, Any]) -> None:
    value = jose.assertion(shop.client_id)

    assert_refused(send(path, value, form=form), 401, "invalid_client", value)


@pytest.mark.requirement("7521-4.2-b")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_client_id_beside_it_names_the_same_client(shop: Client, path: str) -> None:
    assert send(path, jose.assertion(shop.client_id), form={"client_id": shop.client_id}).status_code == 200

    other = send(path, jose.assertion(shop.client_id), form={"client_id": "another"})
    assert_refused(other, 401, "invalid_client")


@pytest.mark.requirement("7521-4.2.1-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("how", ["Basic", "Bearer", "Negotiate", "post"])
def test_an_assertion_beside_another_method_is_invalid_client(shop: Client, machine: Any, path: str, how: str) -> None:
    auth = {"Basic": endpoints.basic(shop.client_id, machine.secret), "Bearer": "Bearer x", "Negotiate": "Negotiate x"}
    form = {"client_secret": machine.secret} if how == "post" else {}

    response = send(path, jose.assertion(shop.client_id), form=form, auth=auth.get(how))

    assert_refused(response, 401, "invalid_client", machine.secret)


NOW = int(time.time())
WRONG: dict[str, Any] = {
    "iss another": {"iss": "another"},
    "iss absent": {"iss": None},
    "iss list": {"iss": ["another"]},
    "sub another": {"sub": "another"},
    "sub absent": {"sub": None},
    "sub empty": {"sub": ""},
    "sub list": {"sub": ["x"]},
    "sub with NUL": {"sub": "a\0b", "iss": "a\0b"},
    "aud absent": {"aud": None},
    "aud the token endpoint": {"aud": f"{ISSUER}/oauth/token"},
    "aud the introspection endpoint": {"aud": f"{ISSUER}/oauth/introspect"},
    "aud the revocation endpoint": {"aud": [f"{ISSUER}/oauth/revoke"]},
    "aud with a slash more": {"aud": f"{ISSUER}/"},
    "aud in capitals": {"aud": ISSUER.upper()},
    "aud of two": {"aud": [ISSUER, "https://evil.example"]},
    "aud twice": {"aud": [ISSUER, ISSUER]},
    "aud of nobody": {"aud": []},
    "aud nested": {"aud": [[ISSUER]]},
    "exp absent": {"exp": None},
    "exp text": {"exp": str(NOW + 60)},
    "exp true": {"exp": True},
    "exp endless": {"exp": 10**20},
    "jti absent": {"jti": None},
    "jti empty": {"jti": ""},
    "jti number": {"jti": 7},
    "nbf text": {"nbf": "now"},
    "iat text": {"iat": "now"},
}


@pytest.mark.requirement("7523-3-a", "7523-3-b", "7523-3-d", "23b-4-a", "23b-4-b", "23b-4-d", "7523-3.2-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_an_assertion_that_says_the_wrong_thing_is_invalid_client_and_costs_no_statement(
    shop: Client, django_assert_num_queries: Any, path: str, changes: dict[str, Any]
) -> None:
    value = jose.assertion(shop.client_id, **changes)

    with django_assert_num_queries(0):
        response = send(path, value)

    assert_refused(response, 401, "invalid_client", value, shop.client_id)


@pytest.mark.requirement("23b-4-a")
@pytest.mark.parametrize("audience", [None, [None], ""])
def test_without_an_issuer_no_assertion_has_the_right_audience(shop: Client, settings: Any, audience: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": None}
    claims = {**jose.assertion_claims(shop.client_id), "aud": audience}
    without = {name: value for name, value in claims.items() if name != "aud"}

    for chosen in (claims, without):
        value = jose.sign({"alg": "ES256"}, chosen, jose.key("ES256"), alg="ES256")
        assert_refused(send("/oauth/introspect", value), 401, "invalid_client", value)


@pytest.mark.requirement("23b-4-a")
@pytest.mark.parametrize("audience", [ISSUER, [ISSUER]])
def test_the_issuer_is_the_audience_as_text_or_alone_in_a_list(shop: Client, audience: Any) -> None:
    assert send("/oauth/token", jose.assertion(shop.client_id, aud=audience)).status_code == 200


@pytest.mark.requirement("7523-3-b", "7523-3-c", "7519-4.1.4-a")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"exp": -29}, 200),
        ({"exp": -30}, 401),
        ({"exp": -29.5}, 200),
        ({"exp": 330}, 200),
        ({"exp": 331}, 401),
        ({"exp": 86400}, 401),
        ({"nbf": 30}, 200),
        ({"nbf": 31}, 401),
        ({"iat": 30}, 200),
        ({"iat": 31}, 401),
        ({"iat": -330}, 200),
        ({"iat": -331}, 401),
    ],
)
def test_its_times_hold_within_the_leeway_and_it_lives_five_minutes_at_most(
    shop: Client, changes: dict[str, float], status: int
) -> None:
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
        times = {name: time.time() + seconds for name, seconds in changes.items()}

        assert send("/oauth/token", jose.assertion(shop.client_id, **times)).status_code == status


@pytest.mark.requirement("7523-3-c")
def test_nbf_and_iat_may_be_left_out(shop: Client) -> None:
    assert send("/oauth/token", jose.assertion(shop.client_id, iat=None)).status_code == 200


@pytest.mark.requirement("23b-4-c", "8725-3.12-a")
@pytest.mark.parametrize(
    ("typ", "status"),
    [
        (None, 200),
        ("JWT", 200),
        ("jwt", 200),
        ("client-authentication+jwt", 200),
        ("application/client-authentication+jwt", 200),
        ("at+jwt", 401),
        ("dpop+jwt", 401),
        ("token-introspection+jwt", 401),
        ("secevent+jwt", 401),
        ("", 401),
        (7, 401),
    ],
)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_explicit_type_must_be_that_of_an_assertion(shop: Client, path: str, typ: Any, status: int) -> None:
    header = {} if typ is None else {"typ": typ}

    assert send(path, jose.assertion(shop.client_id, header=header)).status_code == status


@pytest.mark.requirement("8725-3.12-a")
def test_an_access_token_of_ours_is_no_assertion(settings: Any) -> None:
    """Even of a client that has our own key as its own."""
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    client = signing_client(access_token_format="jwt")
    token = send("/oauth/token", jose.assertion(client.client_id)).json()["access_token"]

    assert_refused(send("/oauth/token", token), 401, "invalid_client", token)


@pytest.mark.requirement("7523-3-d")
@pytest.mark.parametrize("second", ENDPOINTS)
@pytest.mark.parametrize("first", ENDPOINTS)
def test_an_assertion_is_good_once_across_all_endpoints(shop: Client, first: str, second: str) -> None:
    value = jose.assertion(shop.client_id)

    assert send(first, value).status_code == 200
    assert_refused(send(second, value), 401, "invalid_client", value)


@pytest.mark.requirement("7523-3-d")
def test_an_altered_signature_makes_no_new_assertion(shop: Client) -> None:
    value = jose.assertion(shop.client_id)

    assert send("/oauth/token", value).status_code == 200
    assert_refused(send("/oauth/token", jose.other_signature(value)), 401, "invalid_client")


@pytest.mark.requirement("7523-3-d")
def test_the_same_jti_of_two_clients_is_two_assertions(shop: Client) -> None:
    other = signing_client()

    for client in (shop, other):
        assert send("/oauth/token", jose.assertion(client.client_id, jti="1")).status_code == 200


@pytest.mark.requirement("7523-3-d")
def test_an_assertion_is_remembered_until_the_leeway_is_over(shop: Client) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        value = jose.assertion(shop.client_id, exp=int(start.timestamp()) + 60)
        assert send("/oauth/token", value).status_code == 200
        for second in (59, 89, 90, 91):
            clock.move_to(start + timedelta(seconds=second))
            assert_refused(send("/oauth/token", value), 401, "invalid_client")


def test_an_assertion_that_failed_is_not_used_up(shop: Client) -> None:
    """Or anybody could spend the jti of a client without its key."""
    claims = jose.assertion_claims(shop.client_id, jti="guessed")

    assert send("/oauth/token", jose.sign({"alg": "ES256"}, claims, jose.key("ES256", "two"))).status_code == 401
    assert send("/oauth/token", jose.sign({"alg": "ES256"}, claims)).status_code == 200


def test_while_the_cache_is_down_nobody_is_believed(shop: Client, settings: Any, caplog: Any) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "down": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        },
    }
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REPLAY_CACHE": "down"}
    value = jose.assertion(shop.client_id)

    for path in ENDPOINTS:
        response = send(path, value)
        assert_refused(response, 503, "temporarily_unavailable", value)
        assert "Retry-After" in response
    assert value not in caplog.text
    assert "the cache of used assertions does not answer" in caplog.text


def _unsigned(alg: str) -> Any:
    return lambda client_id: f"{jose.part({'alg': alg})}.{jose.part(jose.assertion_claims(client_id))}."


BADLY_SIGNED: dict[str, Any] = {
    "another key": lambda client_id: jose.assertion(client_id, name="two"),
    "another key in jwk": lambda client_id: jose.assertion(
        client_id, name="two", header={"jwk": jose.public("ES256", "two")}
    ),
    "another key at jku": lambda client_id: jose.assertion(
        client_id, name="two", header={"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u"}
    ),
    "an unknown kid": lambda client_id: jose.assertion(client_id, name="two", header={"kid": "../x'"}),
    "another algorithm": lambda client_id: jose.assertion(client_id, alg="EdDSA"),
    "an algorithm that is not the key's": lambda client_id: jose.assertion(client_id, header={"alg": "RS256"}),
    "HS256 with the public key": lambda client_id: jose.hmac_signed(
        {"alg": "HS256"}, jose.assertion_claims(client_id), jose.key("ES256").as_pem(private=False)
    ),
    **{f"alg {alg}": _unsigned(alg) for alg in ("none", "None", "NONE", "ES256")},
    "crit": lambda client_id: jose.assertion(client_id, header={"crit": ["x"], "x": 1}),
    "crit b64": lambda client_id: jose.assertion(client_id, header={"crit": ["b64"], "b64": False}),
    "two of them": lambda client_id: f"{jose.assertion(client_id)} {jose.assertion(client_id)}",
    "two of them in one": lambda client_id: f"{jose.assertion(client_id)}.{jose.assertion(client_id)}",
    "dots": lambda _: "a.b.c",
    "no dots": lambda _: "abc",
    "endless": lambda client_id: jose.assertion(client_id, padding="x" * 20_000),
    "NUL": lambda client_id: jose.assertion(client_id) + "\0",
    "not ASCII": lambda client_id: jose.assertion(client_id) + "é",
    "a line end": lambda client_id: jose.assertion(client_id) + "\n",
    "nested without end": lambda client_id: jose.sign({"alg": "ES256"}, b'{"a":' * 2000 + b"1" + b"}" * 2000),
    "a claim twice": lambda client_id: jose.sign(
        {"alg": "ES256"},
        jose.decode(jose.part(jose.assertion_claims(client_id))).replace(b"{", b'{"aud": "https://evil.example", ', 1),
    ),
}


@pytest.mark.requirement("7523-2.2-a", "7523-3-e", "7515-4.1.11-a", "7519-4-a", "8725-3.1-a", "8725-3.8-a")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("make", BADLY_SIGNED.values(), ids=BADLY_SIGNED)
def test_what_is_not_one_jwt_signed_by_a_key_of_the_client_is_invalid_client(
    shop: Client, path: str, make: Any
) -> None:
    value = make(shop.client_id)

    assert_refused(send(path, value), 401, "invalid_client", value)


@pytest.mark.requirement("8725-3.8-a")
def test_the_key_of_one_client_does_not_speak_for_another(shop: Client) -> None:
    other = signing_client(jose.public("ES256", "two"))

    assert_refused(send("/oauth/token", jose.assertion(other.client_id)), 401, "invalid_client")
    assert send("/oauth/token", jose.assertion(other.client_id, name="two")).status_code == 200


@pytest.mark.requirement("7523-3-e", "7517-4.2-a")
@pytest.mark.parametrize("members", [{"alg": "PS256"}, {"alg": "RS256", "kid": "a"}])
def test_the_algorithm_and_the_name_that_a_client_registered_are_the_only_ones(members: dict[str, str]) -> None:
    client = signing_client(jose.public("RS256", **members))
    wrong = {"alg": "RS256"} if members["alg"] == "PS256" else {"alg": "RS256", "kid": "b"}

    assert send("/oauth/token", jose.assertion(client.client_id, alg="RS256", header=wrong)).status_code == 401
    good = jose.assertion(client.client_id, alg=members["alg"], header=members)
    assert send("/oauth/token", good).status_code == 200


def test_a_client_with_two_keys_may_use_either_with_or_without_naming_it() -> None:
    client = signing_client(jose.public("ES256", kid="a"), jose.public("ES256", "two", kid="b"))

    for name, header in (("one", {"kid": "a"}), ("two", {"kid": "b"}), ("two", {})):
        value = jose.assertion(client.client_id, name=name, header=header)
        assert send("/oauth/token", value).status_code == 200
    assert send("/oauth/token", jose.assertion(client.client_id, header={"kid": "b"})).status_code == 401


@pytest.mark.parametrize("path", ENDPOINTS)
def test_unknown_and_inactive_clients_are_answered_like_a_bad_signature(shop: Client, machine: Any, path: str) -> None:
    inactive = signing_client(is_active=False)
    ids = ["unknown", shop.client_id.upper(), inactive.client_id, machine.client.client_id]

    answers = [send(path, jose.assertion(client_id)) for client_id in ids]
    answers.append(send(path, jose.assertion(shop.client_id, name="two")))

    assert len({repr(whole(answer)) for answer in answers}) == 1
    assert_refused(answers[0], 401, "invalid_client")


def test_a_secret_does_not_authenticate_a_client_that_signs(shop: Client) -> None:
    from django_introspection.authorization_server.issuing import add_secret

    secret = add_secret(shop)

    assert_refused(endpoints.introspect("x", auth=(shop, secret)), 401, "invalid_client")


def test_a_server_without_a_name_takes_no_assertions(shop: Client, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {}

    assert_refused(send("/oauth/token", jose.assertion(shop.client_id)), 401, "invalid_client")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_authentication_costs_one_statement(shop: Client, django_assert_num_queries: Any, path: str) -> None:
    form = {"grant_type": "no-such"} if path == "/oauth/token" else {"token": "a\0b"}

    with django_assert_num_queries(1):
        send(path, jose.assertion(shop.client_id), form=form)


def test_an_introspection_costs_two_statements(shop: Client, django_assert_num_queries: Any) -> None:
    token = send("/oauth/token", jose.assertion(shop.client_id)).json()["access_token"]

    with django_assert_num_queries(2):
        response = send("/oauth/introspect", jose.assertion(shop.client_id), form={"token": token})

    assert response.json()["active"] is True


def test_a_failure_says_why_in_the_security_log_and_shows_nothing(shop: Client, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    value = jose.assertion(shop.client_id, name="two")

    send("/oauth/token", value)

    assert "client assertion: the signature is not by a key of the client" in caplog.text
    assert shop.client_id in caplog.text
    assert not [piece for piece in value.split(".") if piece in caplog.text]


@pytest.mark.requirement("8414-2-g", "8414-2-e", "8414-2-f")
def test_the_metadata_says_so_and_with_what() -> None:
    def document() -> Any:
        return Browser().get("/.well-known/oauth-authorization-server").json()

    for endpoint in ("token", "introspection", "revocation"):
        assert "private_key_jwt" in document()[f"{endpoint}_endpoint_auth_methods_supported"]
        algorithms = document()[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == jose.ALGORITHMS
        assert "none" not in algorithms


REFUSED_KEYS: dict[str, Any] = {
    "private": lambda: {"keys": [jose.private("ES256")]},
    "symmetric": lambda: {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
    "none": lambda: {"keys": []},
    "a key alone": lambda: jose.public("ES256"),
    "a list": lambda: [jose.public("ES256")],
    "text": lambda: "keys",
    "two of one name": lambda: {"keys": [jose.public("ES256", kid="a"), jose.public("EdDSA", kid="a")]},
    "for encryption": lambda: {"keys": [jose.public("RS256", use="enc")]},
}


@pytest.mark.parametrize("make", REFUSED_KEYS.values(), ids=REFUSED_KEYS)
def test_keys_that_cannot_authenticate_a_client_are_refused_at_registration(make: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks=make())

    assert caught.value.message_dict.keys() == {"jwks"}
    assert jose.private("ES256")["d"] not in str(caught.value)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"jwks": {"keys": [jose.public("EdDSA")]}, "jwks_uri": "https://shop.example/jwks"},
        {"jwks_uri": "http://shop.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:password@shop.example/jwks"},
    ],
)
def test_a_client_that_signs_has_keys_in_one_place_that_can_be_trusted(metadata: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", **metadata)


def test_a_client_that_signs_is_given_no_secret() -> None:
    client = signing_client()

    assert not ClientSecret.objects.filter(client=client).exists()
    with pytest.raises(ValidationError):
        signing_client(client_secret="x" * 32)
