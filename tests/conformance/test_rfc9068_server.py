"""JWT access tokens, made and judged by the authorization server (RFC 9068, 7515, 7519, 8725)."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client as Browser
from joserfc import jwt as theirs
from joserfc.jwk import KeySet

from django_introspection.models import Token
from django_introspection.protocol.opaque import digest
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_inactive, assert_refused, everything_stored
from tests.misbehaving.server import MisbehavingServer
from tests.settings import AUDIENCE, ISSUER, TOKEN_INTROSPECTION

GRANT = {"grant_type": "client_credentials"}
OTHER = "https://api.example.com/invoices"

pytestmark = pytest.mark.django_db


@pytest.fixture
def with_keys(settings: Any) -> Any:
    """Set the signing keys."""

    def configure(*entries: Any, **changes: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": list(entries), **changes}

    configure({"KEY": jose.pem("ES256")})
    return configure


@pytest.fixture
def shop(with_keys: Any) -> Any:
    """A machine client whose access tokens are JWTs."""
    return factories.RegistrationFactory(access_token_format="jwt")


def get_token(client: Any, **form: Any) -> str:
    response = endpoints.post("/oauth/token", {**GRANT, **form}, auth=client)
    assert response.status_code == 200, response.content
    return str(response.json()["access_token"])


def forged(token: str, *, header: Any = None, claims: Any = None, alg: str = "ES256", name: str = "one") -> str:
    """Sign a changed token with the server's own key: what a forger could do at most."""
    old_header, old_claims = jose.read(token)
    new_header = {key: value for key, value in {**old_header, **(header or {})}.items() if value is not None}
    return jose.sign(new_header, {**old_claims, **(claims or {})}, jose.key(alg, name), alg=alg)


@pytest.mark.requirement("9068-2.1-a", "9068-2.1-b", "9068-2.2-a", "9068-2.2-b", "9068-3-a", "9068-4-h", "7517-5-a")
@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_a_token_is_verified_with_nothing_but_the_metadata_and_the_published_keys(
    shop: Any, with_keys: Any, alg: str
) -> None:
    with_keys({"KEY": jose.pem(alg), "ALG": alg, "KID": "a"})
    token = get_token(shop, scope="orders:read")
    metadata = Browser().get("/.well-known/oauth-authorization-server").json()
    published = Browser().get(metadata["jwks_uri"].removeprefix(ISSUER)).json()

    with warnings.catch_warnings():  # the library finds EdDSA old-fashioned
        warnings.simplefilter("ignore")
        verified = theirs.decode(token, KeySet.import_key_set(published), algorithms=[alg])

    row = Token.objects.get()
    assert verified.header == {"typ": "at+jwt", "alg": alg, "kid": "a"}
    assert verified.claims == {
        "iss": metadata["issuer"],
        "sub": shop.client.client_id,
        "aud": [AUDIENCE],
        "client_id": shop.client.client_id,
        "scope": "orders:read",
        "iat": int(row.issued_at.timestamp()),
        "exp": int(row.expires_at.timestamp()),
        "jti": str(row.pk),
    }


@pytest.mark.requirement("9068-2.2-a")
def test_no_two_tokens_have_the_same_jti(shop: Any) -> None:
    claims = [jose.read(get_token(shop))[1] for _ in range(3)]

    assert len({each["jti"] for each in claims}) == 3


@pytest.mark.requirement("9068-2.2-b")
def test_a_token_of_a_person_has_sub_and_login_claims_but_no_name(shop: Any, user: Any) -> None:
    issued = factories.TokenFactory(
        client=shop.client, user=user, refresh=True, members={"acr": "urn:mfa", "auth_time": 17, "amr": ["pwd"]}
    )

    _, claims = jose.read(issued.access_token)

    assert claims["sub"] == str(user.pk)
    assert (claims["acr"], claims["auth_time"], claims["amr"]) == ("urn:mfa", 17, ["pwd"])
    assert not claims.keys() & {"username", "active", "token_type"}
    assert issued.refresh_token.startswith("dit_rt_")


@pytest.mark.requirement("8725-3.12-a")
def test_members_that_mark_other_kinds_of_jwt_stay_out_of_the_token(shop: Any, resource_server: Any) -> None:
    members = {"nonce": "n", "events": {}, "htm": "GET", "token_introspection": {"active": True}}
    issued = factories.TokenFactory(client=shop.client, members=members)

    assert not jose.read(issued.access_token)[1].keys() & members.keys()
    assert endpoints.introspect(issued.access_token, auth=resource_server).json()["nonce"] == "n"


@pytest.mark.requirement("8725-3.12-a")
@pytest.mark.parametrize("members", [{"at_hash": "h"}, {"typ": "Refresh"}, {"tokenType": "id_token"}])
def test_members_that_name_another_kind_of_token_are_refused(shop: Any, members: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="another kind"):
        factories.TokenFactory(client=shop.client, members=members)


@pytest.mark.requirement("9068-3-a", "9068-5-a")
def test_the_audience_is_the_resource_asked_for_and_tokens_for_two_are_apart(with_keys: Any) -> None:
    shop = factories.RegistrationFactory(access_token_format="jwt", allowed_resources=[AUDIENCE, OTHER])
    first, second = (get_token(shop, resource=resource) for resource in (AUDIENCE, OTHER))
    invoices = factories.ResourceServerFactory(resources=[OTHER], resource_scopes="")

    assert [jose.read(token)[1]["aud"] for token in (first, second)] == [[AUDIENCE], [OTHER]]
    assert_inactive(endpoints.introspect(first, auth=invoices))
    assert endpoints.introspect(second, auth=invoices).json()["active"] is True


@pytest.mark.requirement("9068-3-a")
def test_without_an_audience_there_is_no_token(with_keys: Any) -> None:
    nowhere = factories.RegistrationFactory(access_token_format="jwt", allowed_resources=[])

    assert_refused(endpoints.post("/oauth/token", GRANT, auth=nowhere), 400, "invalid_target")
    with pytest.raises(ValidationError, match="an audience"):
        factories.TokenFactory(client=nowhere.client, audience=[])
    assert not Token.objects.exists()


@pytest.mark.parametrize("missing", [{"SIGNING_KEYS": []}, {"ISSUER": None}], ids=["no keys", "no issuer"])
def test_without_keys_or_issuer_there_is_no_token_and_no_other_one_instead(
    shop: Any, with_keys: Any, missing: Any
) -> None:
    with_keys({"KEY": jose.pem("ES256")}, **missing)

    assert_refused(endpoints.post("/oauth/token", GRANT, auth=shop), 503, "temporarily_unavailable")
    with pytest.raises(ValidationError, match="ISSUER and SIGNING_KEYS"):
        factories.TokenFactory(client=shop.client)
    assert not Token.objects.exists()


def test_a_token_too_large_for_anybody_to_read_is_not_made(shop: Any) -> None:
    with pytest.raises(ValidationError, match="too large"):
        factories.TokenFactory(client=shop.client, members={"x": "y" * 20_000})
    assert not Token.objects.exists()


def test_a_token_is_nowhere_in_the_database(shop: Any) -> None:
    token = get_token(shop)

    stored = everything_stored()

    assert not [piece for piece in token.split(".") if piece in stored]
    assert bytes(Token.objects.get().digest) == digest(token.rpartition(".")[0])


def test_a_token_is_introspected_used_and_revoked_like_an_opaque_one(
    shop: Any, user: Any, resource_server: Any
) -> None:
    issued = factories.TokenFactory(client=shop.client, user=user)
    token = issued.access_token

    members = endpoints.introspect(token, auth=resource_server).json()
    seen = Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"})

    assert members["active"] is True
    assert members["username"] == user.username
    assert {**jose.read(token)[1], "active": True, "username": user.username, "token_type": "Bearer"} == members
    assert seen.status_code == 200
    assert endpoints.post("/oauth/revoke", {"token": token}, auth=shop).status_code == 200
    assert_inactive(endpoints.introspect(token, auth=resource_server))
    assert Browser().get("/whoami", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("how", ["client", "user", "purged"])
def test_a_good_signature_helps_no_token_that_the_database_has_ended(
    shop: Any, user: Any, resource_server: Any, how: str
) -> None:
    issued = factories.TokenFactory(client=shop.client, user=user)
    if how == "purged":
        issued.token.delete()
    else:
        owner = shop.client if how == "client" else user
        owner.is_active = False
        owner.save()

    assert_inactive(endpoints.introspect(issued.access_token, auth=resource_server))


@pytest.mark.requirement("7519-4.1.4-a")
def test_a_token_ends_at_its_exp_and_begins_at_its_nbf(shop: Any, resource_server: Any) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        token = factories.TokenFactory(
            client=shop.client, lifetime=timedelta(seconds=60), not_before=start + timedelta(seconds=10)
        ).access_token
        states = []
        for second in (9, 10, 59, 60):
            clock.move_to(start + timedelta(seconds=second))
            states.append(endpoints.introspect(token, auth=resource_server).json()["active"])

    assert jose.read(token)[1]["nbf"] == int(start.timestamp()) + 10
    assert states == [False, True, True, False]


@pytest.mark.requirement("8725-3.1-a")
def test_a_revoked_token_stays_revoked_under_its_other_valid_signature(shop: Any, resource_server: Any) -> None:
    token = get_token(shop)
    other = jose.other_signature(token)
    assert other != token
    assert endpoints.introspect(other, auth=resource_server).json()["active"] is True

    assert endpoints.post("/oauth/revoke", {"token": token}, auth=shop).status_code == 200

    assert_inactive(endpoints.introspect(token, auth=resource_server))
    assert_inactive(endpoints.introspect(other, auth=resource_server))


def test_revoking_under_the_other_signature_revokes_the_token(shop: Any, resource_server: Any) -> None:
    token = get_token(shop)

    endpoints.post("/oauth/revoke", {"token": jose.other_signature(token)}, auth=shop)

    assert_inactive(endpoints.introspect(token, auth=resource_server))


def _rs256_secret() -> bytes:
    return jose.key("RS256").as_pem(private=False)


NOT_A_TOKEN: dict[str, Any] = {
    "typ absent": lambda token: forged(token, header={"typ": None}),
    "typ JWT": lambda token: forged(token, header={"typ": "JWT"}),
    "an ID token": lambda token: forged(token, header={"typ": None}, claims={"nonce": "n", "at_hash": "h"}),
    "a client assertion": lambda token: forged(token, header={"typ": "client-authentication+jwt"}),
    "a DPoP proof": lambda token: forged(token, header={"typ": "dpop+jwt"}),
    "an introspection answer": lambda token: forged(token, header={"typ": "token-introspection+jwt"}),
    "typ number": lambda token: forged(token, header={"typ": 1}),
    "crit": lambda token: forged(token, header={"crit": ["x"], "x": 1}),
    "crit of what is known": lambda token: forged(token, header={"crit": ["exp"]}),
    "crit empty": lambda token: forged(token, header={"crit": []}),
    "another key": lambda token: forged(token, name="two"),
    "another key under the name of ours": lambda token: forged(
        token, name="two", header={"kid": jose.key("ES256").thumbprint()}
    ),
    "another key in jwk": lambda token: forged(token, name="two", header={"jwk": jose.public("ES256", "two")}),
    "another algorithm": lambda token: forged(token, alg="EdDSA", header={"alg": "EdDSA"}),
    "an algorithm that is not the key's": lambda token: forged(token, header={"alg": "RS256"}),
    "alg number": lambda token: forged(token, header={"alg": 1}),
    "alg absent": lambda token: forged(token, header={"alg": None}),
    "kid path": lambda token: forged(token, header={"kid": "../x'"}, name="two"),
    "kid list": lambda token: forged(token, header={"kid": ["x"]}),
    **{
        f"alg {alg}": lambda token, alg=alg: f"{jose.part({**jose.read(token)[0], 'alg': alg})}.{token.split('.')[1]}."
        for alg in ("none", "None", "NONE", "nOnE")
    },
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "a signature of zeros": lambda token: f"{token.rpartition('.')[0]}.{jose.encode(bytes(64))}",
    "a shorter signature": lambda token: token[:-4],
    "padding": lambda token: f"{token}=",
    "other claims": lambda token: ".".join(
        [token.split(".")[0], jose.part({**jose.read(token)[1], "sub": "admin"}), token.split(".")[2]]
    ),
    "two aud": lambda token: jose.sign(
        jose.read(token)[0], json.dumps(jose.read(token)[1]).replace("{", '{"aud": "x", ', 1).encode(), alg="ES256"
    ),
    "two alg": lambda token: jose.sign(
        json.dumps(jose.read(token)[0]).replace("{", '{"alg": "none", ', 1).encode(), jose.read(token)[1], alg="ES256"
    ),
    "claims that are a list": lambda token: jose.sign(jose.read(token)[0], [], alg="ES256"),
    "claims that are not JSON": lambda token: jose.sign(jose.read(token)[0], b"{", alg="ES256"),
    "four parts": lambda token: f"{token}.x",
    "twice": lambda token: f"{token}.{token}",
    "nothing but dots": lambda token: "..",
    "endless": lambda token: f"{token.split('.')[0]}.{'A' * 20_000}.{token.split('.')[2]}",
}


@pytest.mark.requirement("7515-4.1.11-a", "7519-4-a", "8725-3.1-a", "8725-3.8-a", "8725-3.12-a")
@pytest.mark.parametrize("alter", NOT_A_TOKEN.values(), ids=NOT_A_TOKEN)
def test_what_is_no_token_of_ours_is_inactive_and_costs_no_statement_of_its_own(
    shop: Any, resource_server: Any, django_assert_max_num_queries: Any, alter: Any
) -> None:
    token = get_token(shop)
    altered = alter(token)
    endpoints.introspect("x", auth=resource_server)

    with django_assert_max_num_queries(1):
        response = endpoints.introspect(altered, auth=resource_server)

    assert_inactive(response)
    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True


@pytest.mark.requirement("8725-3.10-a")
@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_an_address_in_the_header_is_never_asked(shop: Any, resource_server: Any, settings: Any, name: str) -> None:
    keys = json.dumps({"keys": [jose.public("ES256", "two")]}).encode()
    with MisbehavingServer("body", content=keys) as theirs_too:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "JWKS_HOSTS": ["127.0.0.1"]}
        altered = forged(get_token(shop), name="two", header={name: theirs_too.url, "kid": None})
        signing = factories.RegistrationFactory(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jose.public("ES256")]}
        ).client
        assertion = jose.assertion(signing.client_id, name="two", header={name: theirs_too.url})

        assert_inactive(endpoints.introspect(altered, auth=resource_server))
        assert endpoints.post("/oauth/introspect", {"token": "x", **jose.asserting(assertion)}).status_code == 401
        assert theirs_too.connections == 0


@pytest.mark.requirement("8725-3.1-a")
def test_a_mac_made_with_our_public_key_is_no_signature(shop: Any, with_keys: Any, resource_server: Any) -> None:
    with_keys({"KEY": jose.pem("RS256")})
    token = get_token(shop)
    header, claims = jose.read(token)

    for secret in (_rs256_secret(), _rs256_secret().strip(), json.dumps(jose.public("RS256")).encode()):
        assert_inactive(
            endpoints.introspect(jose.hmac_signed({**header, "alg": "HS256"}, claims, secret), auth=resource_server)
        )


@pytest.mark.requirement("8725-3.1-a")
def test_a_key_for_one_algorithm_verifies_no_other(shop: Any, with_keys: Any, resource_server: Any) -> None:
    with_keys({"KEY": jose.pem("RS256"), "ALG": "RS256"})
    token = get_token(shop)

    altered = forged(token, alg="PS256", header={"alg": "PS256"})

    assert endpoints.introspect(token, auth=resource_server).json()["active"] is True
    assert_inactive(endpoints.introspect(altered, auth=resource_server))


@pytest.mark.requirement("7662-4-d")
def test_a_token_that_we_signed_and_never_stored_is_inactive(shop: Any, resource_server: Any) -> None:
    assert_inactive(endpoints.introspect(forged(get_token(shop), claims={"scope": "all"}), auth=resource_server))


def test_a_good_token_and_a_bad_signature_cost_one_statement(
    shop: Any, user: Any, resource_server: Any, django_assert_num_queries: Any
) -> None:
    token = factories.TokenFactory(client=shop.client, user=user).access_token
    endpoints.introspect("x", auth=resource_server)

    with django_assert_num_queries(1):
        assert endpoints.introspect(token, auth=resource_server).json()["active"] is True
    with django_assert_num_queries(1):
        assert_inactive(endpoints.introspect(forged(token, name="two"), auth=resource_server))


@pytest.mark.requirement("7517-4.5-a", "7517-5-a", "8414-2-h")
def test_after_a_change_of_keys_both_are_published_and_old_tokens_stay_good(
    shop: Any, with_keys: Any, resource_server: Any
) -> None:
    old = get_token(shop)
    with_keys({"KEY": jose.pem("EdDSA")}, {"KEY": jose.pem("ES256")})
    new = get_token(shop)

    published = Browser().get("/oauth/jwks").json()["keys"]

    assert [key["kid"] for key in published] == [jose.read(new)[0]["kid"], jose.read(old)[0]["kid"]]
    assert {key["use"] for key in published} == {"sig"}
    for token in (old, new):
        assert endpoints.introspect(token, auth=resource_server).json()["active"] is True
    with_keys({"KEY": jose.pem("EdDSA")})
    assert_inactive(endpoints.introspect(old, auth=resource_server))


@pytest.mark.requirement("7518-6-a", "7517-5-a", "9110-9.1-a")
def test_the_key_set_has_public_members_alone_and_may_be_cached(with_keys: Any) -> None:
    with_keys(*({"KEY": jose.private(alg, kid=alg, x5c=["x"]), "ALG": alg} for alg in jose.ALGORITHMS))

    response = Browser().get("/oauth/jwks")

    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "public, max-age=600"
    keys = response.json()["keys"]
    assert [key["alg"] for key in keys] == jose.ALGORITHMS
    assert set().union(*keys) == {"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"}
    head = Browser().head("/oauth/jwks/")
    assert (head.status_code, head.content, head["Cache-Control"]) == (200, b"", response["Cache-Control"])
    assert Browser().post("/oauth/jwks").status_code == 405


@pytest.mark.requirement("8414-2-h")
def test_without_keys_the_set_is_empty_and_the_metadata_does_not_name_it(with_keys: Any) -> None:
    with_keys()

    assert Browser().get("/oauth/jwks").json() == {"keys": []}
    assert "jwks_uri" not in Browser().get("/.well-known/oauth-authorization-server").json()


def test_a_caller_may_introspect_with_a_jwt_of_its_own(with_keys: Any) -> None:
    caller = factories.ResourceServerFactory(
        grant_types=["client_credentials"], scope="introspection", access_token_format="jwt"
    )
    bearer = get_token(caller, scope="introspection")
    token = factories.TokenFactory().access_token

    assert jose.read(bearer)[1]["aud"] == [ISSUER]
    assert endpoints.introspect(token, auth=f"Bearer {bearer}").json()["active"] is True
    assert endpoints.introspect(token, auth=f"Bearer {forged(bearer, name='two')}").status_code == 401
