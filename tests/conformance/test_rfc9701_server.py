"""Introspection answers that this server signs (RFC 9701)."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser
from joserfc import jwe
from joserfc import jwt as theirs
from joserfc.jwk import ECKey, KeySet

from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client
from django_introspection.signals import token_introspected
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused, bearer, introspecting_client
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

MEDIA_TYPE = "application/token-introspection+jwt"
JWT = {"Accept": MEDIA_TYPE}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def with_keys(settings: Any) -> Any:
    """Set the signing keys."""

    def configure(*algorithms: str, **changes: Any) -> None:
        keys = [{"KEY": jose.pem(alg), "ALG": alg} for alg in algorithms]
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": keys, **changes}

    configure("ES256")
    return configure


@pytest.fixture
def token(user: Any) -> str:
    return str(factories.TokenFactory(user=user).access_token)


def registered(alg: str = "ES256", **metadata: Any) -> Any:
    return factories.ResourceServerFactory(introspection_signed_response_alg=alg, **metadata)


def read(response: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a signed answer."""
    assert (response.status_code, response["Content-Type"]) == (200, MEDIA_TYPE)
    assert (response["Cache-Control"], response["Pragma"]) == ("no-store", "no-cache")
    return jose.read(response.content.decode())


def is_signed(response: Any) -> bool:
    assert response.status_code == 200
    assert response["Content-Type"] in (MEDIA_TYPE, "application/json")
    return bool(response["Content-Type"] == MEDIA_TYPE)


@pytest.mark.requirement("9701-4-a", "9701-5-a", "9701-5-b", "9701-5-d", "9701-6-a", "9701-7-a")
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_an_answer_is_verified_with_nothing_but_the_metadata_and_the_published_keys(
    token: str, with_keys: Any, alg: str
) -> None:
    with_keys(alg)
    caller = registered(alg)
    before = int(time.time())
    response = endpoints.introspect(token, auth=caller, headers=JWT)
    metadata = Browser().get("/.well-known/oauth-authorization-server").json()
    published = Browser().get(metadata["jwks_uri"].removeprefix(ISSUER)).json()

    with warnings.catch_warnings():  # the library finds EdDSA old-fashioned
        warnings.simplefilter("ignore")
        verified = theirs.decode(response.content.decode(), KeySet.import_key_set(published), algorithms=[alg])

    read(response)
    assert metadata["introspection_signing_alg_values_supported"] == [alg]
    assert verified.header == {"typ": "token-introspection+jwt", "alg": alg, "kid": published["keys"][0]["kid"]}
    assert verified.claims == {
        "iss": ISSUER,
        "aud": caller.client.client_id,
        "iat": verified.claims["iat"],
        "token_introspection": endpoints.introspect(token, auth=caller, headers={"Accept": "application/json"}).json(),
    }
    assert before <= verified.claims["iat"] <= time.time()


@pytest.mark.requirement("9701-4-a")
@pytest.mark.parametrize(
    ("accept", "unregistered", "with_algorithm"),
    [
        (None, False, True),
        ("", False, True),
        ("*/*", False, True),
        ("application/*", False, True),
        ("text/html", False, True),
        ("application/json", False, False),
        ("application/json, */*;q=0.1", False, False),
        ("*/*;q=0.1, application/json", False, False),
        (MEDIA_TYPE, True, True),
        (MEDIA_TYPE.upper(), True, True),
        (f"{MEDIA_TYPE};q=0.5", True, True),
        (f"{MEDIA_TYPE};q=0", False, True),
        (f"{MEDIA_TYPE};q=0, */*", False, False),
        (f"application/json, {MEDIA_TYPE}", False, True),
        (f"application/json;q=0.9, {MEDIA_TYPE}", True, True),
        (f"application/json; q=0.5 , {MEDIA_TYPE};q=0.501", True, True),
        (f"application/json, {MEDIA_TYPE};q=0.9", False, False),
        (f"text/html, {MEDIA_TYPE};q=0.3, application/json;q=0.2", True, True),
        (f"*/*, {MEDIA_TYPE};q=0.1", False, False),
        (f"{MEDIA_TYPE};q=1.5, application/json;q=0.1", False, False),
        (f"{MEDIA_TYPE};q=x", False, True),
        (";,,=, /", False, True),
    ],
)
def test_the_request_chooses_and_registration_decides_where_it_does_not(
    token: str, resource_server: Any, accept: str | None, unregistered: bool, with_algorithm: bool
) -> None:
    headers = {} if accept is None else {"Accept": accept}

    assert is_signed(endpoints.introspect(token, auth=resource_server, headers=headers)) is unregistered
    assert is_signed(endpoints.introspect(token, auth=registered(), headers=headers)) is with_algorithm


@pytest.mark.requirement("9701-5-c")
@pytest.mark.parametrize("value", ["unknown", "of another resource", "revoked"])
def test_the_answer_about_an_inactive_token_says_nothing_else(resource_server: Any, value: str) -> None:
    if value != "unknown":
        audience = AUDIENCE if value == "revoked" else "https://api.example.com/invoices"
        issued = factories.TokenFactory(audience=[audience])
        if value == "revoked":
            revoke_token(issued.token, by=None)
        value = issued.access_token

    _, claims = read(endpoints.introspect(value, auth=resource_server, headers=JWT))

    assert claims.keys() == {"iss", "aud", "iat", "token_introspection"}
    assert claims["token_introspection"] == {"active": False}


@pytest.mark.requirement("9701-5-e", "9701-5-b")
def test_each_caller_gets_its_own_name_scopes_and_members() -> None:
    token = factories.TokenFactory(scope="orders:read orders:write").access_token
    callers = {
        "orders:read": factories.ResourceServerFactory(resource_scopes="orders:read"),
        "orders:write": factories.ResourceServerFactory(
            resource_scopes="orders:write", visible_members=["active", "scope"]
        ),
    }

    for scope, caller in callers.items():
        _, claims = read(endpoints.introspect(token, auth=caller, headers=JWT))
        assert claims["aud"] == caller.client.client_id
        assert claims["token_introspection"] == endpoints.introspect(token, auth=caller).json()
        assert claims["token_introspection"]["scope"] == scope


@pytest.mark.requirement("9701-8.2-a", "9701-5-b")
def test_a_caller_with_a_bearer_token_is_named_by_its_client(token: str) -> None:
    caller = introspecting_client()

    _, claims = read(endpoints.introspect(token, auth=bearer(caller), headers=JWT))

    assert claims["aud"] == caller.client.client_id
    assert claims["token_introspection"]["active"] is True


@pytest.mark.requirement("9701-8.2-a")
def test_a_bearer_token_without_the_scope_gets_no_signed_answer(token: str) -> None:
    foreign = f"Bearer {factories.TokenFactory(audience=[ISSUER], scope='').access_token}"

    assert_refused(endpoints.introspect(token, auth=foreign, headers=JWT), 401, "insufficient_scope")


@pytest.mark.requirement("9701-5-i")
def test_a_request_for_a_jwt_without_credentials_is_400(token: str, with_keys: Any) -> None:
    assert_refused(endpoints.introspect(token, headers=JWT), 400, "invalid_client", token)
    assert_refused(endpoints.introspect(token), 401, "invalid_client", token)
    with_keys()
    assert_refused(endpoints.introspect(token, headers=JWT), 401, "invalid_client", token)


@pytest.mark.requirement("9701-5-i", "9701-4-a")
def test_errors_stay_json(token: str, resource_server: Any) -> None:
    wrong = (resource_server.client, "wrong-secret")
    stranger = factories.ResourceServerFactory(introspection_policy="none")

    assert_refused(endpoints.introspect(token, auth=wrong, headers=JWT), 401, "invalid_client")
    assert_refused(endpoints.introspect(token, auth=stranger, headers=JWT), 403, "unauthorized_client")
    assert_refused(endpoints.post("/oauth/introspect", {}, auth=resource_server, headers=JWT), 400, "invalid_request")


def test_a_server_without_keys_answers_json_and_signs_for_no_registered_client(token: str, with_keys: Any) -> None:
    """An unsigned answer to a client that has registered for signed ones could be anybody's."""
    caller, plain, asked = registered(), factories.ResourceServerFactory(), []
    token_introspected.connect(receiver := lambda **told: asked.append(told["caller"]), weak=False)
    try:
        for changes in ({}, {"SIGNING_KEYS": [{"KEY": jose.pem("RS256")}]}, {"ISSUER": None}):
            with_keys(**changes)
            assert_refused(endpoints.introspect(token, auth=caller, headers=JWT), 503, "temporarily_unavailable", token)
    finally:
        token_introspected.disconnect(receiver)
    with_keys()

    assert asked == []
    assert not is_signed(endpoints.introspect(token, auth=plain, headers=JWT))
    assert not is_signed(endpoints.introspect(token, auth=caller, headers={"Accept": "application/json"}))
    assert (
        "introspection_signing_alg_values_supported"
        not in Browser().get("/.well-known/oauth-authorization-server").json()
    )


@pytest.mark.requirement("9701-6-a")
@pytest.mark.parametrize(
    ("keys", "alg", "chosen"),
    [
        (["ES256", "RS256"], "", "RS256"),
        (["ES256", "Ed25519"], "", "ES256"),
        (["ES256", "RS256"], "ES256", "ES256"),
        (["ES256", "PS256"], "PS256", "PS256"),
    ],
)
def test_the_registered_algorithm_signs_and_otherwise_rs256_or_the_first_key(
    token: str, with_keys: Any, keys: list[str], alg: str, chosen: str
) -> None:
    with_keys(*keys)

    header, _ = read(endpoints.introspect(token, auth=registered(alg), headers=JWT))

    assert header["alg"] == chosen
    assert (
        Browser().get("/.well-known/oauth-authorization-server").json()["introspection_signing_alg_values_supported"]
        == keys
    )


@pytest.mark.requirement("9701-6-a")
@pytest.mark.parametrize("alg", ["none", "HS256", "RSA-OAEP"])
def test_no_client_registers_an_algorithm_that_does_not_sign_with_a_private_key(alg: str) -> None:
    with pytest.raises(Exception, match="introspection_signed_response_alg"):
        registered(alg)
    assert not Client.objects.exists()


@pytest.mark.requirement("9110-12.5.5-a")
def test_answers_vary_by_accept_if_this_server_can_sign(token: str, resource_server: Any, with_keys: Any) -> None:
    for headers in (JWT, {}):
        assert endpoints.introspect(token, auth=resource_server, headers=headers)["Vary"] == "Accept"
        assert endpoints.introspect("unknown", auth=resource_server, headers=headers)["Vary"] == "Accept"
    with_keys()
    assert "Vary" not in endpoints.introspect(token, auth=resource_server, headers=JWT)


def test_a_signed_answer_costs_one_statement_like_any_other(token: str, django_assert_num_queries: Any) -> None:
    for caller in (factories.ResourceServerFactory(), registered()):
        endpoints.introspect(token, auth=caller)  # the first use of a secret is recorded
        with django_assert_num_queries(1):
            assert is_signed(endpoints.introspect(token, auth=caller, headers=JWT))


@pytest.mark.requirement("9701-8.1-a", "8725-3.12-a")
def test_a_signed_answer_is_no_credential_anywhere(token: str, user: Any, settings: Any) -> None:
    caller = registered(token_endpoint_auth_method="client_secret_post", introspection_policy="any")
    signer = factories.RegistrationFactory(
        token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jose.public("ES256")]}
    )
    form = {"client_id": caller.client.client_id, "client_secret": caller.secret}
    answer = endpoints.post("/oauth/introspect", {"token": token, **form}, headers=JWT).content.decode()
    _, claims = jose.read(answer)
    assert claims["token_introspection"]["active"] is True

    assert_inactive(
        endpoints.post("/oauth/introspect", {"token": answer, **form}, headers={"Accept": "application/json"})
    )
    assert_refused(endpoints.introspect(token, auth=f"Bearer {answer}"), 401, "invalid_token")
    asserting = {"client_id": signer.client.client_id, **jose.asserting(answer)}
    assert_refused(endpoints.post("/oauth/introspect", {"token": token, **asserting}), 401, "invalid_client")
    assert Browser().get("/whoami", headers={"Authorization": f"Bearer {answer}"}).status_code == 401


RECIPIENT = ECKey.generate_key("P-256")
ENCRYPTED = {
    "introspection_encrypted_response_alg": "ECDH-ES",
    "jwks": {"keys": [{**RECIPIENT.as_dict(private=False), "use": "enc", "kid": "mine"}]},
}


@pytest.mark.requirement("9701-5-f", "9701-6-a", "9701-7-a")
@pytest.mark.parametrize(("enc", "expected"), [("", "A128CBC-HS256"), ("A256GCM", "A256GCM")])
@pytest.mark.parametrize("accept", [None, "*/*", MEDIA_TYPE, "application/json"])
def test_an_answer_is_signed_and_then_encrypted_whatever_the_request_accepts(
    token: str, enc: str, expected: str, accept: str | None
) -> None:
    caller = factories.ResourceServerFactory(**ENCRYPTED, introspection_encrypted_response_enc=enc)
    headers = {} if accept is None else {"Accept": accept}

    response = endpoints.introspect(token, auth=caller, headers=headers)
    outer = jwe.decrypt_compact(response.content.decode(), RECIPIENT, algorithms=["ECDH-ES", expected])

    header, claims = jose.read((outer.plaintext or b"").decode())
    assert (response.status_code, response["Content-Type"]) == (200, MEDIA_TYPE)
    assert (outer.headers()["cty"], outer.headers()["kid"]) == ("JWT", "mine")
    assert header["typ"] == "token-introspection+jwt"
    assert claims["aud"] == caller.client.client_id
    assert claims["token_introspection"]["active"] is True
    assert token not in str(claims)


@pytest.mark.requirement("9701-7-a")
def test_the_metadata_names_how_answers_are_encrypted(with_keys: Any) -> None:
    def named() -> dict[str, Any]:
        document = Browser().get("/.well-known/oauth-authorization-server").json()
        return {name: value for name, value in document.items() if name.startswith("introspection_encryption")}

    assert named() == {
        "introspection_encryption_alg_values_supported": [
            *("RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"),
        ],
        "introspection_encryption_enc_values_supported": ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"],
    }
    with_keys()
    assert named() == {}


@pytest.mark.requirement("9701-6-a")
@pytest.mark.parametrize(
    "metadata",
    [
        {**ENCRYPTED, "jwks": {}},
        {**ENCRYPTED, "jwks": {"keys": [jose.public("Ed25519")]}},
        {**ENCRYPTED, "introspection_encrypted_response_alg": "RSA-OAEP-256"},
        {**ENCRYPTED, "introspection_encrypted_response_alg": "RSA1_5"},
        {**ENCRYPTED, "introspection_encrypted_response_alg": "dir"},
        {**ENCRYPTED, "introspection_encrypted_response_alg": "", "introspection_encrypted_response_enc": "A128GCM"},
    ],
)
def test_no_client_registers_encryption_that_it_has_no_key_for(metadata: Any) -> None:
    with pytest.raises(ValidationError, match="introspection_encrypted_response_alg"):
        factories.ResourceServerFactory(**metadata)


def test_an_answer_that_cannot_be_encrypted_is_not_sent(token: str, with_keys: Any) -> None:
    caller = factories.ResourceServerFactory(**ENCRYPTED)
    with_keys()
    assert_refused(endpoints.introspect(token, auth=caller), 503, "temporarily_unavailable", token)

    with_keys("ES256")
    Client.objects.update(jwks={})
    assert_refused(endpoints.introspect(token, auth=caller), 503, "temporarily_unavailable", token)
