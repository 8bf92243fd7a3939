"""Our authorization server, driven by clients that others wrote."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import ECKey

from django_introspection.models import Client
from tests import jose
from tests.peers.conftest import environment
from tests.peers.processes import drive
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db(transaction=True)

METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "bearer"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("script", ["oauth4webapi.js", "openid_client.js"])
@pytest.mark.requirement("8414-3.1-a", "6749-5.1-a", "7662-2.2-a", "7009-2.1-e", "23b-4-a", "23b-4-b")
def test_a_client_from_npm_discovers_gets_asks_revokes_and_asks_again(issuer: str, script: str, method: str) -> None:
    told = drive(script, environment(issuer, method=method))

    assert told["token_type"] == "bearer"
    assert told["scope"] == "orders:read"
    assert told["before"]["active"] is True
    assert told["before"]["aud"] == [AUDIENCE]
    assert told["before"]["iss"] == issuer
    assert told["after"] == {"active": False}


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "Ed25519"])
@pytest.mark.requirement("7523-5-a", "9068-2.1-a", "9068-2.2-a", "9068-4-h", "8414-2-g")
def test_a_client_from_npm_signs_for_itself_and_verifies_the_token_by_the_published_keys(
    issuer: str, settings: Any, alg: str
) -> None:
    keys = [{"KEY": jose.pem(alg, "server"), "ALG": alg}]
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ISSUER": issuer, "SIGNING_KEYS": keys}
    told_of = environment(issuer, method="private_key_jwt", alg=alg, token_format="jwt")

    told = drive("oauth4webapi.js", told_of)

    assert told["claims"]["client_id"] == told_of["CLIENT_ID"]
    assert told["claims"]["scope"] == "orders:read"
    assert told["before"] == {**told["claims"], "active": True, "token_type": "Bearer"}
    assert told["after"] == {"active": False}


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("told", ["registered", "by the metadata"])
@pytest.mark.requirement("9701-4-a", "9701-5-a", "9701-5-b", "9701-5-c", "9701-6-a", "9701-7-a")
def test_a_client_from_npm_verifies_our_signed_answers(issuer: str, settings: Any, alg: str, told: str) -> None:
    keys = [{"KEY": jose.pem(alg, "server"), "ALG": alg}]
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "ISSUER": issuer, "SIGNING_KEYS": keys}
    env = environment(issuer, method="client_secret_basic")
    if told == "registered":
        Client.objects.filter(client_id=env["CALLER_ID"]).update(introspection_signed_response_alg=alg)

    seen = drive("oauth4webapi.js", env | ({"SIGNED_ALG": alg} if told == "registered" else {"SIGNED": "1"}))

    assert seen["before"]["active"] is True
    assert seen["before"]["aud"] == [AUDIENCE]
    assert seen["after"] == {"active": False}


@pytest.mark.parametrize(("alg", "enc"), [("ECDH-ES", ""), ("ECDH-ES+A256KW", "A256GCM"), ("RSA-OAEP-256", "A128GCM")])
@pytest.mark.requirement("9701-5-f", "9701-6-a")
def test_a_client_from_npm_decrypts_our_answers(issuer: str, settings: Any, alg: str, enc: str) -> None:
    settings.TOKEN_INTROSPECTION = {
        **TOKEN_INTROSPECTION,
        "ISSUER": issuer,
        "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}],
    }
    env = environment(issuer, method="client_secret_basic")
    own = {"use": "enc", "alg": alg, "kid": "mine"}
    kind = "RS256" if alg.startswith("RSA") else "ES256"
    caller = Client.objects.get(client_id=env["CALLER_ID"])
    caller.jwks = {"keys": [jose.public(kind, "recipient", **own)]}
    caller.introspection_encrypted_response_alg, caller.introspection_encrypted_response_enc = alg, enc
    caller.full_clean()
    caller.save()

    key = json.dumps(jose.private(kind, "recipient", **own))
    seen = drive("oauth4webapi.js", {**env, "SIGNED_ALG": "ES256", "DECRYPTION_KEY": key})

    assert seen["before"]["active"] is True
    assert seen["after"] == {"active": False}


class Signing(PrivateKeyJWT):
    """What Authlib must be told for a strict server: the issuer as the audience, and a short life."""

    def __init__(self, issuer: str) -> None:
        super().__init__(token_endpoint=issuer, alg="ES256")

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        self.claims = {"exp": int(time.time()) + 60}  # anew each time: the library leaves its jti in there
        return super().sign(auth, token_endpoint)


def discover(issuer: str) -> AuthorizationServerMetadata:
    """Fetch and judge the metadata, but for `response_types_supported`: RFC 8414 asks for it and forbids it empty."""
    address = get_well_known_url(issuer, external=True, suffix="oauth-authorization-server")
    metadata = AuthorizationServerMetadata(httpx2.get(address).json())
    for name in metadata.REGISTRY_KEYS:
        if name != "response_types_supported":
            getattr(metadata, f"validate_{name}")()
    return metadata


@pytest.mark.parametrize("method", METHODS)
def test_authlib_discovers_gets_asks_revokes_and_asks_again(issuer: str, method: str, settings: Any) -> None:
    env = environment(issuer, method=method)
    # Authlib takes https alone and our server is on loopback, so it reads the document of a server with that name.
    named = issuer.replace("http:", "https:")
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": named}
    server = {name: str(value).replace("https:", "http:") for name, value in discover(issuer).items()}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "ISSUER": issuer}

    def client(role: str, **more: Any) -> OAuth2Client:
        own_method, credential = env[f"{role}_METHOD"], env[f"{role}_CREDENTIAL"]
        if own_method == "bearer":
            return OAuth2Client(token={"access_token": credential, "token_type": "Bearer"})
        key: Any = ECKey.import_key(jose.private("ES256")) if own_method == "private_key_jwt" else credential
        methods = dict.fromkeys(("token_endpoint_auth_method", "revocation_endpoint_auth_method"), own_method)
        session = OAuth2Client(env[f"{role}_ID"], key, **methods, **more)
        session.register_client_auth_method(Signing(issuer))
        return session

    def introspect(caller: OAuth2Client, token: str) -> Any:
        if method == "bearer":
            return caller.post(server["introspection_endpoint"], data={"token": token})
        return caller.introspect_token(server["introspection_endpoint"], token=token)

    with client("CLIENT", scope=env["SCOPE"]) as machine, client("CALLER") as caller:
        token = machine.fetch_token(server["token_endpoint"], grant_type="client_credentials")["access_token"]
        before = introspect(caller, token)
        revoked = machine.revoke_token(server["revocation_endpoint"], token=token)
        after = introspect(caller, token)

    assert before.json()["active"] is True
    assert revoked.status_code == 200
    assert after.json() == {"active": False}
