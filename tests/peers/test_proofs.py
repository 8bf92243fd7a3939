"""Proofs by a client that others wrote, at our protected views."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from django.urls import path

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
