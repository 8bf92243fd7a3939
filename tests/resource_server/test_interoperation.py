"""Our resource server asks our authorization server, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from django_introspection import aintrospect, introspect
from django_introspection.authorization_server.revoking import revoke_client_tokens, revoke_token
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.permissions import requires_scope
from tests import endpoints, factories, jose
from tests.misbehaving.server import remote_settings
from tests.settings import AUDIENCE, ISSUER

from .protected import ask, assert_refused, assert_unavailable, challenge_of, protect

pytestmark = pytest.mark.django_db(transaction=True)

ODD_SECRET = "a:b%c+d \u00e9 &= this one is long enough"


@pytest.fixture
def remote(live_server: Any, settings: Any) -> Any:
    """Make this project ask itself over HTTP, as the orders API; further options and metadata can be given."""

    def connect(
        secret: str | None = None, method: str = "client_secret_basic", *, project: Any = None, **metadata: Any
    ) -> Any:
        registration = factories.ResourceServerFactory(
            client_secret=secret, token_endpoint_auth_method=method, **metadata
        )
        remote = remote_settings(
            f"{live_server.url}/oauth/introspect",
            client_id=registration.client.client_id,
            client_secret=registration.secret,
            auth_method=method,
            audience=AUDIENCE,
            issuer=ISSUER,
        )
        if project is not None:
            remote["BACKENDS"]["default"]["CACHE"] = {"MAX_AGE": 600, "STALE_IF_ERROR": 600}
        settings.TOKEN_INTROSPECTION = {"ISSUER": ISSUER, **remote, **(project or {})}
        return registration.client

    return connect


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("secret", [None, ODD_SECRET], ids=["generated secret", "odd secret"])
def test_a_token_that_was_issued_there_opens_a_view_here(remote: Any, method: str, secret: str | None) -> None:
    remote(secret, method, client_id="orders:api%+")
    user = factories.UserFactory()
    issued = factories.TokenFactory(user=user, scope="orders:read")
    view = protect(permission_classes=[requires_scope("orders:read")])

    assert ask(view, issued.access_token).status_code == 200
    (request,) = view.ran
    assert request.auth.sub == str(user.pk)
    assert request.auth.jti == str(issued.token.pk)
    assert request.auth.client_id == issued.token.client.client_id
    assert request.user != user, "what another server says names nobody of ours"
    info = async_to_sync(aintrospect)(issued.access_token)
    assert info == introspect(issued.access_token)


def test_what_is_revoked_there_is_refused_here_at_once(remote: Any) -> None:
    remote()
    issued = factories.TokenFactory()
    assert ask(protect(), issued.access_token).status_code == 200
    revoke_token(issued.token, by=None)

    assert_refused(ask(protect(), issued.access_token), 401, "invalid_token")


def revoke_at_the_endpoint(issued: Any, registration: Any) -> None:
    assert endpoints.post("/oauth/revoke", {"token": issued.access_token}, auth=registration).status_code == 200


def revoke_in_python(issued: Any, registration: Any) -> None:
    revoke_token(issued.token, by=None)


def revoke_the_client(issued: Any, registration: Any) -> None:
    revoke_client_tokens(registration.client, by=None)


@pytest.mark.requirement("7009-2.1-e")
@pytest.mark.parametrize("revoke", [revoke_at_the_endpoint, revoke_in_python, revoke_the_client])
@pytest.mark.parametrize("token_format", ["opaque", "jwt"])
def test_what_is_revoked_there_is_refused_on_the_very_next_request_although_it_is_cached(
    revoke: Any, token_format: str, remote: Any
) -> None:
    keys = [{"KEY": jose.private("ES256")}]
    remote(project={"REVOCATIONS": {"ALIAS": "default"}, "SIGNING_KEYS": keys})
    shop = factories.RegistrationFactory(access_token_format=token_format)
    issued, other = (factories.TokenFactory(client=shop.client, scope="") for _ in range(2))
    for token in (issued.access_token, other.access_token):
        assert ask(protect(), token).status_code == 200

    revoke(issued, shop)

    assert_refused(ask(protect(), issued.access_token), 401, "invalid_token")
    if revoke is not revoke_the_client:
        assert ask(protect(), other.access_token).status_code == 200


def test_without_tombstones_what_is_cached_lives_on_for_a_while(remote: Any) -> None:
    remote(project={})
    issued = factories.TokenFactory()
    assert ask(protect(), issued.access_token).status_code == 200

    revoke_token(issued.token, by=None)

    assert ask(protect(), issued.access_token).status_code == 200, "or the tests of tombstones prove nothing"


@pytest.mark.parametrize(
    "make",
    [
        lambda: "unknown",
        lambda: factories.TokenFactory(refresh=True).refresh_token,
        lambda: factories.TokenFactory(audience=["https://api.example.com/other"]).access_token,
        lambda: factories.TokenFactory(members={"cnf": {"jkt": "x"}}).access_token,
        lambda: factories.TokenFactory(not_before=datetime.now(UTC) + timedelta(hours=1)).access_token,
    ],
    ids=["unknown", "refresh token", "another audience", "bound to a key", "not yet valid"],
)
def test_what_is_not_good_there_is_401_here(remote: Any, make: Any) -> None:
    remote()

    assert_refused(ask(protect(), make()), 401, "invalid_token")


def test_a_missing_scope_is_403_here(remote: Any) -> None:
    remote()
    view = protect(permission_classes=[requires_scope("orders:write")])

    response = ask(view, factories.TokenFactory(scope="orders:read").access_token)

    assert_refused(response, 403, "insufficient_scope")
    assert challenge_of(response)[1]["scope"] == "orders:write"


@pytest.mark.requirement("7662-2.3-d")
def test_credentials_that_the_server_refuses_are_503_and_not_a_bad_token(remote: Any) -> None:
    client = remote()
    client.is_active = False
    client.save()
    view = protect()
    token = factories.TokenFactory().access_token

    assert_unavailable(ask(view, token), view)
    with pytest.raises(IntrospectionUnavailable, match="401"):
        introspect(token)


def test_a_client_without_permission_to_introspect_is_503_and_not_a_bad_token(remote: Any) -> None:
    remote(introspection_policy="none")
    view = protect()

    assert_unavailable(ask(view, factories.TokenFactory().access_token), view)
