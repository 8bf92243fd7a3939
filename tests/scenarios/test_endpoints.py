"""The introspection and the revocation endpoint, asked as a row says (RFC 7662 §2, RFC 7009 §2).

The outcome of an introspection says whether the token is active, "200 active". That of a revocation says what ended:
"200 ended" the token alone, "200 grant_ended" its refresh token or its access token as well, "200" none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from django_introspection.models import Client, Token
from django_introspection.models.fields import now
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import bearer, introspecting_client
from tests.scenarios.tables import Row, filled, played
from tests.scenarios.views import outcome_of
from tests.settings import TOKEN_INTROSPECTION

pytestmark = pytest.mark.django_db
INPUTS = frozenset({"endpoint", "caller", "token", "jwt", "members", "accept", "authorization", "form", "without_form"})
FOREIGN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SIGNING = {"SIGNING_KEYS": [{"KEY": jose.pem("ES256"), "ALG": "ES256"}]}


@played("endpoints")
def test_an_endpoint_answers_as_its_row_says(row: Row, settings: Any) -> None:
    signs = row.given.get("jwt") or "accept" in row.given
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **(SIGNING if signs else {})}
    holder = _holder(row.given)
    issued = _issue(row.given, holder.client)
    sent = _token(row.given, issued, holder)
    auth = _credentials(row.given, holder)
    if row.given.get("caller") == "itself":
        sent = auth.removeprefix("Bearer ")
    given = filled(row.given, sent=sent)
    form = {"token": sent, **given.get("form", {})}
    for name in given.get("without_form", ()):
        del form[name]
    endpoint = given.get("endpoint", "introspect")
    headers = {"Accept": given["accept"]} if "accept" in given else {}
    response = endpoints.post(f"/oauth/{endpoint}", form, auth=auth, headers=headers)
    outcome, facts = _introspected(response) if endpoint == "introspect" else _revoked(response, given, issued)
    row.check(outcome, **facts, cache_control=response["Cache-Control"])


def _holder(given: Mapping[str, Any]) -> Any:
    """Register the client that the token is issued to, which may introspect its own tokens."""
    metadata = {"access_token_format": "jwt"} if given.get("jwt") else {}
    return factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"], **metadata)


def _issue(given: Mapping[str, Any], holder: Client) -> Any:
    """Issue the tokens of a grant to the holder: for a user with a refresh token, or for the client itself."""
    options = {"client": holder, "members": given.get("members", {})}
    if given.get("token") == "client":
        return factories.TokenFactory(**options)
    return factories.TokenFactory(**options, user=factories.UserFactory(username="account"), refresh=True)


def _token(given: Mapping[str, Any], issued: Any, holder: Any) -> str:
    """Return the token that the row asks about; an unknown word is the token itself."""
    kind = given.get("token", "access")
    match kind:
        case "expired":
            past = now() - timedelta(seconds=1)
            Token.objects.filter(client=holder.client).update(issued_at=past - timedelta(hours=1), expires_at=past)
        case "revoked":
            Token.objects.filter(client=holder.client).update(revoked_at=now())
        case "not_yet":
            Token.objects.filter(client=holder.client).update(not_before=now() + timedelta(minutes=5))
        case "used":
            form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
            assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200
        case "foreign_jwt":
            return FOREIGN
    if kind in ("access", "client", "expired", "revoked", "not_yet"):
        return str(issued.access_token)
    return str(issued.refresh_token) if kind in ("refresh", "used") else str(kind)


def _credentials(given: Mapping[str, Any], holder: Any) -> Any:
    """Return the credentials of the caller; that of "itself" is the token that the request asks about."""
    match given.get("caller", "holder"):
        case "holder":
            return holder
        case "resource_server":
            return factories.ResourceServerFactory()
        case "another":
            return factories.RegistrationFactory()
        case "nobody":
            return given.get("authorization")
        case "bearer" | "itself":
            return bearer(introspecting_client())
    raise ValueError(given["caller"])


def _introspected(response: Any) -> tuple[str, dict[str, Any]]:
    facts: dict[str, Any] = {"content_type": response["Content-Type"]}
    answer = response.json() if response["Content-Type"] == "application/json" else None
    if answer is None:
        facts |= jose.read(response.content.decode())[1]
        answer = facts["token_introspection"]
    outcome = outcome_of(response)
    if response.status_code == 200:
        outcome = "200 active" if answer["active"] else "200 inactive"
    return outcome, {**facts, **answer, "names": sorted(answer)}


def _revoked(response: Any, given: Mapping[str, Any], issued: Any) -> tuple[str, dict[str, Any]]:
    if response.status_code != 200:
        return outcome_of(response), {}
    rows = {row.kind: row.revoked_at is not None for row in Token.objects.filter(grant_id=issued.token.grant_id)}
    ended = "200 grant_ended" if len(rows) == 2 and all(rows.values()) else "200 ended" if any(rows.values()) else "200"
    return ended, {"ended": sorted(str(kind) for kind, is_revoked in rows.items() if is_revoked)}
