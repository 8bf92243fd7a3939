"""Proofs by clients that others wrote, at our protected views and our token endpoint."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from django.urls import include, path

from django_introspection.authentication import IntrospectionAuthentication
from tests import factories, jose
from tests.peers.processes import drive
from tests.resource_server.protected import protect

pytestmark = pytest.mark.django_db(transaction=True)


class DPoP(IntrospectionAuthentication):
    schemes = ("DPoP",)


@pytest.mark.parametrize("nonce", [False, True])
@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "Ed25519"])
@pytest.mark.requirement("9449-7.1-a", "9449-4.3-a", "9449-4.3-c", "9449-4.3-e", "9449-9-a")
def test_a_client_from_npm_proves_its_key_and_repeats_with_the_nonce(
    live_server: Any, settings: Any, alg: str, nonce: bool
) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [path("orders", protect(authentication_classes=[DPoP]).as_view())]
    settings.ROOT_URLCONF = urls
    resource = f"{live_server.url}/orders"
    own = {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": resource}}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own}, "DPOP_NONCE": nonce}
    cnf = {"jkt": jose.thumbprint(alg)}
    token = factories.TokenFactory(audience=[resource], members={"cnf": cnf}).access_token

    told = drive(
        "dpop.js",
        {"RESOURCE": f"{resource}?page=2", "TOKEN": token, "KEY": json.dumps(jose.private(alg)), "ALG": alg},
    )

    assert told == {"statuses": [200, 200], "demanded": nonce, "thumbprint": cnf["jkt"]}


@pytest.mark.parametrize("nonce", [False, True])
@pytest.mark.parametrize(("alg", "token_format"), [("ES256", "jwt"), ("Ed25519", "opaque"), ("PS256", "opaque")])
@pytest.mark.requirement("9449-5-b", "9449-6.1-a", "9449-6.2-a", "9449-8-a", "9449-8.2-a", "9449-7.2-a", "9449-5.1-a")
def test_a_client_from_npm_gets_a_bound_token_and_uses_it(
    live_server: Any, settings: Any, alg: str, token_format: str, nonce: bool
) -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [
        path("orders", protect(authentication_classes=[DPoP]).as_view()),
        path("oauth/", include("django_introspection.urls")),
        path("", include("django_introspection.well_known_urls")),
    ]
    settings.ROOT_URLCONF = urls
    resource = f"{live_server.url}/orders"
    own = {"BACKEND": "django_introspection.backends.DatabaseBackend", "OPTIONS": {"audience": resource}}
    settings.TOKEN_INTROSPECTION = {
        "ISSUER": live_server.url,
        "BACKENDS": {"default": own},
        "SIGNING_KEYS": [{"KEY": jose.private("ES256", "server")}],
        "DPOP_NONCE": nonce,
        "ENDPOINTS_DPOP_NONCE": nonce,
    }
    bound = {"access_token_format": token_format, "dpop_bound_access_tokens": True}
    machine = factories.RegistrationFactory(allowed_resources=[resource], **bound)
    caller = factories.ResourceServerFactory(resources=[resource])
    environment = {
        "ISSUER": live_server.url,
        "CLIENT_ID": machine.client.client_id,
        "CLIENT_SECRET": machine.secret,
        "CALLER_ID": caller.client.client_id,
        "CALLER_SECRET": caller.secret,
        "RESOURCE": resource,
        "ALG": alg,
    }

    assert drive("dpop_token.js", environment) == {
        "type": "dpop",
        "statuses": [200, 200],
        "stolen": 401,
        "bound": True,
        "introspected": "DPoP",
        "algorithms": True,
    }
