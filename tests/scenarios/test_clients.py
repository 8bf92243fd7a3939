"""The authentication of a client at an endpoint, as a row describes it (RFC 6749 §2.3, RFC 7523)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from django_introspection.authorization_server.issuing import add_secret
from django_introspection.models import ClientSecret
from tests import endpoints, factories, jose
from tests.misbehaving.server import MisbehavingServer
from tests.scenarios.tables import Row, filled, played
from tests.scenarios.views import outcome_of
from tests.settings import ISSUER, TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db
INPUTS = frozenset(
    {
        *("method", "client_id", "secret", "expired", "rotated", "keys", "jwks_uri"),
        *("endpoint", "authorization", "basic", "raw_basic", "form", "assertion", "without_form", "again"),
    }
)
SHARED = b"a secret that both sides know, as long as HS256 wants"
FORMS = {
    "token": {"grant_type": "client_credentials"},
    "introspect": {"token": "unknown"},
    "revoke": {"token": "unknown"},
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@played("clients")
def test_a_client_is_authenticated_as_its_row_says(row: Row, settings: Any, stack: ExitStack) -> None:
    metadata: dict[str, Any] = {}
    if row.given.get("jwks_uri"):
        server = stack.enter_context(MisbehavingServer())
        server.behave("body", content=json.dumps({"keys": _keys(row.given)}).encode())
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "JWKS_HOSTS": ["127.0.0.1"]}
        metadata = {"jwks_uri": f"{server.origin}/jwks"}
    stack.enter_context(time_machine.travel(int(time.time()), tick=False))
    client, secret = _register(row.given, metadata)
    other = factories.RegistrationFactory().client.client_id
    given = filled(row.given, id=client.client_id, secret=secret, other=other, issuer=ISSUER)
    form = _form(given, client.client_id)
    response = _send(given, form)
    if given.get("again"):
        assert response.status_code == 200, "the first use failed"
        response = _send(given, form)
    facts = {} if "WWW-Authenticate" not in response else {"scheme": response["WWW-Authenticate"].split()[0]}
    row.check(outcome_of(response), **facts)


def _register(given: Mapping[str, Any], metadata: dict[str, Any]) -> tuple[Any, str | None]:
    """Register the client of a row, and return it with the secret that the row uses."""
    method = given.get("method", "client_secret_basic")
    if "client_id" in given:
        metadata["client_id"] = given["client_id"]
    if method == "private_key_jwt" and "jwks_uri" not in metadata:
        metadata["jwks"] = {"keys": _keys(given)}
    if method.startswith("client_secret"):
        metadata["client_secret"] = given.get("secret")
    client, secret = factories.RegistrationFactory(token_endpoint_auth_method=method, **metadata)
    if given.get("rotated"):
        add_secret(client)
    if given.get("expired"):
        past = datetime.now(UTC) - timedelta(seconds=60)
        ClientSecret.objects.filter(client=client).update(expires_at=int(past.timestamp()))
    return client, secret


def _keys(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [jose.public(alg) for alg in given.get("keys", ["ES256"])]


def _form(given: Mapping[str, Any], client_id: str) -> dict[str, Any]:
    form = {**FORMS[given.get("endpoint", "token")], **given.get("form", {})}
    if "assertion" in given:
        form = {**jose.asserting(_assertion(given["assertion"], client_id)), **form}
    return {name: value for name, value in form.items() if name not in given.get("without_form", ())}


def _assertion(changes: Mapping[str, Any], client_id: str) -> str:
    """Sign a valid assertion with the changes of a row; `payload` is another payload, `raw` the whole value."""
    if "raw" in changes:
        return str(changes["raw"])
    alg, name = changes.get("alg", "ES256"), changes.get("key", "one")
    header = {"alg": alg, **changes.get("header", {})}
    claims = jose.assertion_claims(client_id, **changes.get("claims", {}), **dict.fromkeys(changes.get("without", ())))
    payload = changes["payload"].encode() if "payload" in changes else claims
    if header["alg"] == "none":
        return f"{jose.part(header)}.{jose.part(payload)}."
    if header["alg"] == "HS256":
        return jose.hmac_signed(header, payload, SHARED)
    if "raw_header" in changes:
        header = changes["raw_header"].encode()
    return jose.sign(header, payload, jose.key(alg, name), alg=alg)


def _send(given: Mapping[str, Any], form: dict[str, Any]) -> Any:
    """Send the request; `basic` is form-encoded as RFC 6749 §2.3.1 says, `raw_basic` is not."""
    auth = given.get("authorization")
    if "basic" in given:
        auth = endpoints.basic(*given["basic"])
    if "raw_basic" in given:
        auth = f"Basic {base64.b64encode(given['raw_basic'].encode()).decode()}"
    return endpoints.post(f"/oauth/{given.get('endpoint', 'token')}", form, auth=auth)
