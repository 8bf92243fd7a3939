"""Defects of the resource servers of other packages, which this one must not have."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core import serializers
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import IsAuthenticated

from django_introspection import aintrospect, token_backends
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.permissions import requires_scope
from tests import factories
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, assert_refused, assert_unavailable, challenge_of, protect

User = get_user_model()
Read = requires_scope("orders:read")
HERE = {"aud": "https://api.example.com/orders", "iss": "https://auth.example.com"}


@pytest.fixture
def strict(authorization_server: MisbehavingServer, settings: Any) -> MisbehavingServer:
    """A remote server, and a resource server that knows who it is."""
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience=HERE["aud"], issuer=HERE["iss"])
    authorization_server.behave("active", **HERE)
    return authorization_server


@pytest.mark.parametrize("data", [None, {"oauth2_error": "x"}], ids=["query", "form"])
def test_no_parameter_of_the_client_is_taken_for_our_own(data: Any) -> None:
    response = ask(protect(), method="post", path="/orders?oauth2_error=x", data=data)

    assert_refused(response, 401, None)


def test_a_call_has_a_deadline_although_none_was_configured(authorization_server: MisbehavingServer) -> None:
    assert 0 < token_backends["default"].timeout <= 10


def test_garbage_with_the_prefix_of_our_tokens_is_asked_about_nowhere(
    authorization_server: MisbehavingServer,
) -> None:
    for permission in ([], [IsAuthenticated], [Read]):
        assert_refused(ask(protect(permission_classes=permission), "dit_at_garbage"), 401, "invalid_token")

    assert authorization_server.connections == 0


def test_a_bad_token_costs_one_call(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("inactive")

    ask(protect(permission_classes=[]), TOKEN)

    assert len(authorization_server.requests) == 1


@pytest.mark.parametrize("behaviour", ["status 503", "status 401", "status 403", "HTML", "closes before the answer"])
def test_an_outage_is_not_a_bad_token(behaviour: str, authorization_server: MisbehavingServer) -> None:
    view = protect()
    authorization_server.behave(behaviour)

    assert_unavailable(ask(view, TOKEN), view)


def test_a_token_revoked_at_a_remote_server_dies_at_once(authorization_server: MisbehavingServer) -> None:
    assert ask(protect(), TOKEN).status_code == 200
    authorization_server.behave("inactive")

    assert_refused(ask(protect(), TOKEN), 401, "invalid_token")


@pytest.mark.django_db
def test_a_token_revoked_here_dies_at_once() -> None:
    issued = factories.TokenFactory()
    assert ask(protect(), issued.access_token).status_code == 200
    revoke_token(issued.token, by=None)

    assert_refused(ask(protect(), issued.access_token), 401, "invalid_token")


@pytest.mark.django_db
def test_a_read_writes_nothing(authorization_server: MisbehavingServer) -> None:
    with CaptureQueriesContext(connection) as remote:
        assert ask(protect(), TOKEN).status_code == 200

    assert len(remote) == 0


@pytest.mark.django_db
def test_a_read_of_a_local_token_reads_once_and_writes_nothing() -> None:
    token = factories.TokenFactory(user=factories.UserFactory()).access_token
    with CaptureQueriesContext(connection) as local:
        assert ask(protect(), token).status_code == 200

    assert [query["sql"].split()[0] for query in local] == ["SELECT"]


def test_a_missing_scope_costs_no_second_call(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", scope="other")

    assert_refused(ask(protect(permission_classes=[Read, Read]), TOKEN), 403, "insufficient_scope")
    assert len(authorization_server.requests) == 1


@pytest.mark.parametrize("code", [302, 307, 308])
def test_a_redirect_takes_the_token_nowhere(code: int, authorization_server: MisbehavingServer) -> None:
    view = protect()
    with MisbehavingServer() as elsewhere:
        authorization_server.behave("status", code=code, headers=(f"Location: {elsewhere.url}",))
        assert_unavailable(ask(view, TOKEN), view)

        assert elsewhere.connections == 0


@pytest.mark.parametrize("behaviour", ["body over the limit", "chunked body without an end"])
def test_a_huge_answer_is_not_read_to_its_end(behaviour: str, authorization_server: MisbehavingServer) -> None:
    view = protect()
    authorization_server.behave(behaviour)

    assert_unavailable(ask(view, TOKEN), view)


@pytest.mark.parametrize(
    "behaviour",
    [
        "exp a word",
        "exp beyond floating point",
        "scope a list of lists",
        "username a list",
        "JSON null",
        "JSON string",
        "JSON list",
        "JSON number",
    ],
)
def test_a_member_of_the_wrong_type_is_a_broken_server(behaviour: str, authorization_server: MisbehavingServer) -> None:
    view = protect()
    authorization_server.behave(behaviour)

    assert_unavailable(ask(view, TOKEN), view)


def test_a_null_scope_or_username_is_none_at_all(authorization_server: MisbehavingServer) -> None:
    content = b'{"active": true, "token_type": "Bearer", "scope": null, "username": null}'
    authorization_server.behave("body", content=content)

    assert ask(protect(), TOKEN).status_code == 200
    assert_refused(ask(protect(permission_classes=[Read]), TOKEN), 403, "insufficient_scope")


@pytest.mark.django_db
def test_a_remote_name_is_nobody_of_ours_and_makes_nobody(authorization_server: MisbehavingServer) -> None:
    root = User.objects.create_superuser("root")
    for members in ({"username": "root"}, {"username": "root", "sub": str(root.pk)}, {"username": "somebody new"}):
        view = protect()
        authorization_server.behave("active", **members)
        ask(view, TOKEN)

        (request,) = view.ran
        assert request.user != root
        assert not request.user.is_superuser
    assert User.objects.get() == root


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["user", "client"])
def test_the_token_of_a_disabled_account_dies_at_once(what: str) -> None:
    user = factories.UserFactory()
    issued = factories.TokenFactory(user=user)
    disabled = user if what == "user" else issued.token.client
    assert ask(protect(), issued.access_token).status_code == 200
    disabled.is_active = False
    disabled.save()

    assert_refused(ask(protect(), issued.access_token), 401, "invalid_token")


@pytest.mark.parametrize("audience", ["orders", "urn:example:orders", "https://api.example.com/orders"])
def test_an_audience_is_an_identifier_and_no_prefix_of_a_url(
    audience: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = authorization_server.settings(audience=audience)
    outcomes = {}
    for aud in (audience, f"{audience}/", audience[:-1], audience.upper(), "http://testserver/orders", None):
        authorization_server.behave("active", aud=aud)
        outcomes[aud] = ask(protect(), TOKEN).status_code

    assert outcomes.pop(audience) == 200
    assert set(outcomes.values()) == {401}


@pytest.mark.parametrize(
    "members",
    [
        {"iss": "https://other.example.com"},
        {"nbf": 4102444800},
        {"token_type": "refresh_token"},
        {"token_type": "N_A"},
        {"cnf": {"jkt": "x"}},
        {"token_type": "DPoP", "cnf": {"jkt": "x"}},
    ],
    ids=["issuer", "not before", "refresh token", "another type", "bound", "bound and says so"],
)
def test_every_member_that_limits_a_token_is_read(members: dict[str, Any], strict: MisbehavingServer) -> None:
    assert ask(protect(), TOKEN).status_code == 200
    strict.behave("active", **(HERE | members))

    assert_refused(ask(protect(), TOKEN), 401, "invalid_token")


def test_the_client_and_the_name_of_the_token_are_there_for_the_view(strict: MisbehavingServer) -> None:
    view = protect()
    strict.behave("active", client_id="app", jti="1", **HERE)
    ask(view, TOKEN)

    (request,) = view.ran
    assert (request.auth.client_id, request.auth.jti) == ("app", "1")


@pytest.mark.django_db
def test_an_expired_token_of_ours_is_asked_about_nowhere_else(
    authorization_server: MisbehavingServer, settings: Any
) -> None:
    own = {"BACKEND": "django_introspection.backends.DatabaseBackend"}
    partner = authorization_server.settings()["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own, "partner": partner}}
    issued = factories.TokenFactory()
    before = serializers.serialize("json", Token.objects.all())

    with time_machine.travel(issued.token.expires_at + timedelta(hours=1)):
        assert_refused(ask(protect(), issued.access_token), 401, "invalid_token")

    assert authorization_server.connections == 0
    assert serializers.serialize("json", Token.objects.all()) == before


@pytest.mark.django_db
def test_no_value_of_a_token_is_in_the_database() -> None:
    issued = factories.TokenFactory(refresh=True)
    ask(protect(), issued.access_token)

    dump = serializers.serialize("json", [*Token.objects.all(), *Client.objects.all()])
    assert issued.access_token not in dump
    assert issued.refresh_token not in dump
    assert issued.access_token.removeprefix("dit_at_")[:20] not in dump


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_any_id_and_secret_arrive_by_either_method(
    method: str, authorization_server: MisbehavingServer, settings: Any
) -> None:
    odd = {"client_id": "a:b", "client_secret": "p%+ \u00e9"}
    settings.TOKEN_INTROSPECTION = authorization_server.settings(auth_method=method, **odd)
    ask(protect(), TOKEN)

    (request,) = authorization_server.requests
    header = "Basic YSUzQWI6cCUyNSUyQislQzMlQTk="  # a%3Ab:p%25%2B+%C3%A9
    in_body = {"client_id": ["a:b"], "client_secret": ["p%+ \u00e9"]}
    assert request.headers["Authorization"] == (header if method == "client_secret_basic" else None)
    assert in_body.items() <= request.form.items() or method == "client_secret_basic"
    assert request.headers["Accept"] == "application/json"
    assert request.form["token_type_hint"] == ["access_token"]


@pytest.mark.parametrize("permissions", [[], [IsAuthenticated], [Read]], ids=["open", "authenticated", "scope"])
def test_a_bad_token_is_no_anonymous_user_and_the_body_says_so(
    permissions: list[Any], authorization_server: MisbehavingServer
) -> None:
    view = protect(permission_classes=permissions)
    authorization_server.behave("inactive")

    response = ask(view, TOKEN)

    assert_refused(response, 401, "invalid_token")
    assert response.data["detail"].code == "invalid_token"
    assert "not provided" not in response.data["detail"]
    assert view.ran == []


def test_a_missing_scope_has_its_challenge(authorization_server: MisbehavingServer) -> None:
    authorization_server.behave("active", scope="")

    response = ask(protect(permission_classes=[Read]), TOKEN)

    assert_refused(response, 403, "insufficient_scope")
    assert challenge_of(response)[1]["scope"] == "orders:read"
    assert_refused(ask(protect(permission_classes=[Read])), 401, None)


def test_a_token_comes_in_the_header_once_or_not_at_all(authorization_server: MisbehavingServer) -> None:
    assert_refused(ask(protect(), path=f"/orders?access_token={TOKEN}"), 401, None)
    assert_refused(ask(protect(), method="post", data={"access_token": TOKEN}), 401, None)
    assert_refused(ask(protect(), TOKEN, path=f"/orders?access_token={TOKEN}"), 400, "invalid_request")
    assert_refused(ask(protect(), "a b"), 400, "invalid_request")
    assert authorization_server.connections == 0


def test_the_token_of_a_client_has_a_user_that_views_can_use(authorization_server: MisbehavingServer) -> None:
    view = protect(permission_classes=[IsAuthenticated])
    authorization_server.behave("active", sub=None, client_id="app")

    assert ask(view, TOKEN).status_code == 200
    (request,) = view.ran
    assert request.user.is_client
    assert request.user.pk is not None
    assert str(request.user) == "app"


def test_each_view_asks_the_server_it_names(authorization_server: MisbehavingServer, settings: Any) -> None:
    with MisbehavingServer("active", sub="partner") as partner:
        first, second = (server.settings()["BACKENDS"]["default"] for server in (authorization_server, partner))
        settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": first, "partner": second}}
        view = protect(authentication_classes=[IntrospectionAuthentication.using("partner")])

        assert ask(view, TOKEN).data == {"user": "partner"}
        assert authorization_server.connections == 0


def test_a_realm_cannot_break_out_of_its_quotes() -> None:
    realm = type("Quoted", (IntrospectionAuthentication,), {"realm": 'a", error="b\r\nX: c\\'})

    assert challenge_of(ask(protect(authentication_classes=[realm])))[1].keys() == {"realm", "resource_metadata"}


def test_every_scope_of_the_token_is_kept(authorization_server: MisbehavingServer) -> None:
    view = protect()
    authorization_server.behave("active", scope="a nobody:declared:this https://scope.example/x")
    ask(view, TOKEN)

    assert view.ran[0].auth.scopes == {"a", "nobody:declared:this", "https://scope.example/x"}


@pytest.mark.parametrize("behaviour", ["inactive", "status 500"])
def test_no_traceback_in_the_log(
    behaviour: str, authorization_server: MisbehavingServer, caplog: pytest.LogCaptureFixture
) -> None:
    authorization_server.behave(behaviour)
    with caplog.at_level(logging.INFO):
        ask(protect(), TOKEN)

    (record,) = [each for each in caplog.records if each.name == "django_introspection"]
    assert record.exc_info is None
    assert "Traceback" not in caplog.text
    assert TOKEN not in caplog.text


def test_there_is_an_async_path(authorization_server: MisbehavingServer) -> None:
    info = asyncio.run(aintrospect(TOKEN))

    assert info is not None
    assert info.sub == "alice"


def test_the_metadata_promises_no_more_than_is_done() -> None:
    """Tokens bound to a key are refused, so no member may say that they are taken."""
    document = Browser().get("/.well-known/oauth-protected-resource/orders").json()

    assert document.keys() == {"resource", "authorization_servers", "bearer_methods_supported"}


@pytest.mark.parametrize("query", ["q=100%", "q=%zz&q=%", "a;b=%u1234", "%", "access_token%3D=1"])
def test_a_malformed_parameter_of_the_application_is_its_own_affair(
    query: str, authorization_server: MisbehavingServer
) -> None:
    assert ask(protect(), TOKEN, path=f"/orders?{query}").status_code == 200
