"""What a shared cache holds after everything that this package does: no token, no secret, no proof."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from django.core.cache import caches

from django_introspection import introspect, revocations
from django_introspection.models import AuthMethod, GrantType
from tests import caches as test_caches
from tests import endpoints, factories, jose
from tests.endpoints import basic
from tests.misbehaving.server import CLIENT_SECRET, MisbehavingServer
from tests.settings import AUDIENCE, ISSUER, SECRET_KEY

HEX = "[0-9a-f]"
FORMS = [
    rf"answer:{HEX}{{32}}:({HEX}{{64}}|inactive:\d+|generation(:\d+)?)",
    rf"(assertion|proof):{HEX}{{64}}",
    r"count:(inactive|failed-authentication):\d{4}-\d\d-\d\d",
    rf"revoked:({HEX}{{64}}|whole(:{HEX}{{16}})?)",
    rf"throttle:(failures:\d+|inactive:{HEX}{{64}}):\d+",
]
"""Every key of this package, behind its name."""


@pytest.fixture
def settings_of_both_sides(authorization_server: MisbehavingServer, settings: Any) -> None:
    """An authorization server that is a resource server of another one, with every cache that there is."""
    backend = authorization_server.settings()["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {
        "ISSUER": ISSUER,
        "BACKENDS": {"default": {**backend, "CACHE": {"LOCAL_MAX_AGE": 0}}},
        "REVOCATIONS": {},
        "COUNTERS": {},
    }
    revocations.set_markers()


def journey(server: MisbehavingServer) -> list[str]:
    """Use each thing that may be written to a cache, and return every value that none may hold."""
    client, secret = factories.RegistrationFactory(grant_types=[GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN])
    signing, _ = factories.RegistrationFactory(
        token_endpoint_auth_method=AuthMethod.PRIVATE_KEY_JWT, jwks={"keys": [jose.public("ES256")]}
    )
    resource_server, its_secret = factories.ResourceServerFactory()

    proof = jose.proof("", f"{ISSUER}/oauth/token", htm="POST", ath=None)
    form = {"grant_type": "client_credentials", "resource": AUDIENCE}
    bound = endpoints.post("/oauth/token", form, auth=(client, secret), headers={"DPoP": proof}).json()
    assertion = jose.assertion(signing.client_id)
    signed = endpoints.post("/oauth/token", {**form, **jose.asserting(assertion)}).json()
    issued = factories.TokenFactory(client=client, user=factories.UserFactory(), refresh=True)
    refreshing = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    refreshed = endpoints.post("/oauth/token", refreshing, auth=(client, secret)).json()
    wrong = "a secret that is wrong and long enough"
    endpoints.introspect("unknown-token", auth=basic(resource_server.client_id, wrong))
    endpoints.introspect("unknown-token", auth=(resource_server, its_secret))
    jwt = jose.sign({"alg": "ES256", "typ": "at+jwt"}, {"iss": server.origin, "sub": "someone"}, jose.key("ES256"))
    assert all([introspect("opaque-token-of-another-server"), introspect(jwt)])
    server.behave("inactive")
    assert introspect("inactive-token-of-another-server") is None
    endpoints.post("/oauth/revoke", {"token": refreshed["refresh_token"]}, auth=(client, secret))

    return [
        *(issued.access_token, issued.refresh_token, refreshed["access_token"], refreshed["refresh_token"]),
        *(bound["access_token"], signed["access_token"], jwt, proof, assertion),
        *("opaque-token-of-another-server", "inactive-token-of-another-server", "unknown-token"),
        *(secret, its_secret, wrong, CLIENT_SECRET, SECRET_KEY),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("settings_of_both_sides")
def test_no_key_and_no_value_is_a_token_a_secret_or_a_proof(authorization_server: MisbehavingServer) -> None:
    values = journey(authorization_server)
    cache = caches["default"]
    names = [key.split(":", 2)[2].removeprefix("introspection:") for key in test_caches.keys(cache)]
    everything = "\n".join(names + test_caches.values(cache))

    assert re.search(r'"active\W+true', everything)
    for value in values:
        parts = {value, *value.split("."), base64.b64encode(value.encode()).decode(), value.encode().hex()}
        assert [part for part in parts if part in everything] == []
    assert [name for name in names if not re.fullmatch("|".join(FORMS), name)] == []
    assert [form for form in FORMS if not any(re.fullmatch(form, name) for name in names)] == []
