"""Defects of django-oauth-toolkit's endpoint and resource server, tried against its tokens at our endpoint and view.

Those of calls to a remote server are tried in `tests/resource_server`.
"""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_application_model
from rest_framework.permissions import AllowAny, IsAuthenticated

from tests import endpoints
from tests.authorization_server.helpers import assert_inactive, assert_refused, without_table
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import ask, challenge_of, protect
from tests.resource_server.protected import assert_refused as assert_view_refused
from tests.settings import AUDIENCE

from . import flows

AccessToken = get_access_token_model()
DAY = timedelta(days=1)


def test_an_application_reads_no_token_of_another_unless_our_admin_says_so(shop: flows.Application) -> None:
    assert_inactive(flows.introspect(flows.client_credentials(shop), flows.register()))


def test_an_empty_secret_opens_nothing(shop: flows.Application) -> None:
    get_application_model().objects.update(client_secret="")
    form = {"token": "x", "client_id": shop.client.client_id}

    for response in (
        endpoints.post("/o/introspect/", form),
        endpoints.post("/o/introspect/", {**form, "client_secret": ""}),
        endpoints.post("/o/introspect/", form, auth=endpoints.basic(shop.client.client_id, "")),
    ):
        assert_refused(response, 401, "invalid_client")


def test_a_failed_authentication_is_401_with_a_challenge_and_json(shop: flows.Application) -> None:
    response = endpoints.introspect("x", auth=(shop.client, "wrong"))

    assert_refused(response, 401, "invalid_client")
    assert response["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_token_in_the_url_is_not_read(method: str, shop: flows.Application) -> None:
    token = flows.client_credentials(shop)
    headers = {"Authorization": endpoints.basic(shop.client.client_id, shop.secret)}

    assert Browser().generic(method, f"/o/introspect/?token={token}", headers=headers).status_code == 405


def test_no_cache_keeps_an_answer(shop: flows.Application) -> None:
    assert flows.introspect(flows.client_credentials(shop), shop)["Cache-Control"] == "no-store"


def test_a_disabled_user_has_no_active_token(api: flows.Application, user: Any) -> None:
    application = flows.code_application()
    tokens = flows.authorization_code(application, user)
    get_user_model().objects.update(is_active=False)

    assert_inactive(flows.introspect(tokens["access_token"], api))
    assert_inactive(flows.introspect(tokens["refresh_token"], application))
    assert flows.view(tokens["access_token"]).status_code == 401


def test_an_application_that_is_not_usable_has_none_either(
    shop: flows.Application, api: flows.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flows.client_credentials(shop)
    monkeypatch.setattr(get_application_model(), "is_usable", lambda self, request: self.pk != shop.client.pk)

    assert_inactive(flows.introspect(token, api))
    assert flows.view(token).status_code == 401


def test_where_nobody_can_tell_whether_it_is_usable_nothing_is_said(
    shop: flows.Application, api: flows.Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = flows.client_credentials(shop)
    assert flows.members(token, api)["active"] is True
    monkeypatch.setattr(get_application_model(), "is_usable", lambda self, request: request.headers["x"])

    assert flows.introspect(token, api).status_code == 503
    assert flows.view(token).status_code == 503


def test_a_registration_token_is_no_access_token(api: flows.Application, user: Any) -> None:
    browser = Browser()
    browser.force_login(user)
    body = {"redirect_uris": [flows.REDIRECT], "grant_types": ["authorization_code"], "client_name": "Dynamic"}
    response = browser.post("/o/register/", body, content_type="application/json")
    assert response.status_code == 201, response.content
    token = response.json()["registration_access_token"]
    anyone = protect(permission_classes=[IsAuthenticated])

    assert_inactive(flows.introspect(token, api))
    assert_view_refused(ask(anyone, token), 401, "invalid_token")
    assert anyone.ran == []


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("use_tz", [True, False])
def test_times_are_right_with_and_without_time_zones(
    shop: flows.Application, api: flows.Application, settings: Any, use_tz: bool, zone: str
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = use_tz, zone
    before = int(time.time())

    members = flows.members(flows.client_credentials(shop), api)

    assert before <= members["iat"] <= time.time()
    assert before + 36000 <= members["exp"] <= time.time() + 36000


@pytest.mark.parametrize("use_tz", [True, False])
def test_an_expired_token_is_inactive_with_and_without_time_zones(
    shop: flows.Application, api: flows.Application, settings: Any, use_tz: bool
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = use_tz, "America/New_York"
    token = flows.client_credentials(shop)
    AccessToken.objects.update(expires=timezone.now())

    assert_inactive(flows.introspect(token, api))


def test_a_refresh_token_is_described_until_it_expires_idle(user: Any, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "REFRESH_TOKEN_EXPIRE_SECONDS": 60}
    application = flows.code_application()
    value = flows.authorization_code(application, user)["refresh_token"]

    assert flows.members(value, application)["exp"] == pytest.approx(time.time() + 36060, abs=5)
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=61))
    assert_inactive(flows.introspect(value, application))


def test_a_refresh_token_without_its_access_token_is_inactive(user: Any) -> None:
    application = flows.code_application()
    value = flows.authorization_code(application, user)["refresh_token"]
    AccessToken.objects.all().delete()

    assert_inactive(flows.introspect(value, application))


def test_the_missing_members_are_sent_and_none_is_empty(shop: flows.Application, api: flows.Application) -> None:
    token = flows.client_credentials(shop)
    assert {"sub", "iss", "iat", "token_type", "client_id", "exp", "scope"} <= flows.members(token, api).keys()
    AccessToken.objects.update(scope="")

    assert not {"scope", "aud", "username"} & flows.members(token, api).keys()


def test_an_application_is_not_the_user_whose_sub_is_chosen_as_its_id(api: flows.Application) -> None:
    for number, client_id in enumerate(["42", " 42", "\u0664\u0662"]):
        application = flows.register(client_id=client_id).client
        token = AccessToken.objects.create(
            token=f"t{number}", expires=timezone.now() + DAY, application=application
        ).token

        members = flows.members(token, api)

        assert members["client_id"] == client_id
        assert "sub" not in members


def test_where_users_are_not_named_by_primary_key_no_application_is_named_as_one(
    shop: flows.Application, api: flows.Application, configured: Any
) -> None:
    configured(SUBJECT="operator.attrgetter")

    assert "sub" not in flows.members(flows.client_credentials(shop), api)


def test_the_scheme_is_named_in_any_case(shop: flows.Application) -> None:
    header = endpoints.basic(shop.client.client_id, shop.secret).replace("Basic", "bASIC")

    assert_inactive(endpoints.introspect("x", auth=header))


def test_two_methods_a_repeated_token_and_an_empty_one_are_400(shop: flows.Application) -> None:
    both = {"token": "x", "client_id": shop.client.client_id, "client_secret": shop.secret}

    for form in (both, "token=a&token=b", "token="):
        assert_refused(endpoints.post("/o/introspect/", form, auth=tuple(shop)), 400, "invalid_request")


def test_a_token_is_not_used_to_ask_about_itself(api: flows.Application, configured: Any) -> None:
    configured(BEARER_WITHOUT_AUDIENCE=True)
    token = flows.client_credentials(api, "introspection")

    assert_refused(endpoints.introspect(token, auth=f"Bearer {token}"), 401, "invalid_token")


def for_caller(info: Any, user: Any, caller: Any) -> dict[str, Any]:
    return {"asked_by": caller.client_id}


def test_the_hook_for_members_is_told_who_asks(
    shop: flows.Application, api: flows.Application, configured: Any
) -> None:
    configured(MEMBERS=f"{__name__}.for_caller")

    assert flows.members(flows.client_credentials(shop), api)["asked_by"] == api.client.client_id


def test_each_introspection_has_a_log_line_and_no_token_in_it(
    shop: flows.Application, api: flows.Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "django_introspection")
    token = flows.client_credentials(shop)
    flows.members(token, api)
    flows.introspect("unknown", api)

    assert f"token introspected caller={api.client.client_id} inactive: unknown" in caplog.messages
    assert token not in caplog.text


def test_a_token_whose_value_is_not_kept_is_found(
    shop: flows.Application, api: flows.Application, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True}
    token = flows.client_credentials(shop)

    assert AccessToken.objects.get().token == ""
    assert flows.members(token, api)["active"] is True


def test_a_client_id_that_is_a_url_is_never_fetched(db: None, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "CIMD_ENABLED": True}
    with MisbehavingServer("active") as elsewhere:
        form = {"token": "x", "client_id": elsewhere.url, "client_secret": "w" * 40}
        assert endpoints.post("/o/introspect/", form).status_code == 401

        assert elsewhere.connections == 0


def test_a_parameter_named_like_an_internal_one_changes_nothing(db: None) -> None:
    assert Browser().get("/whoami?oauth2_error=x").status_code == 401


def test_a_read_reads_once_and_writes_nothing(shop: flows.Application) -> None:
    token = flows.client_credentials(shop)
    with CaptureQueriesContext(connection) as good:
        assert flows.view(token).status_code == 200
    with CaptureQueriesContext(connection) as bad:
        assert flows.view("unknown").status_code == 401

    assert [query["sql"].split()[0] for query in good] == ["SELECT"]
    assert [query["sql"].split()[0] for query in bad] == ["SELECT"] * 2


def test_a_disabled_user_opens_no_view_that_is_open_to_anyone_with_a_token(user: Any) -> None:
    token = flows.authorization_code(flows.code_application(), user)["access_token"]
    get_user_model().objects.update(is_active=False)

    assert_view_refused(ask(protect(), token), 401, "invalid_token")


def test_the_audience_is_a_configured_name_and_can_be_required(shop: flows.Application) -> None:
    from django_introspection.authentication import IntrospectionAuthentication

    view = protect(authentication_classes=[IntrospectionAuthentication.using("orders")])

    assert ask(view, flows.client_credentials(shop, resource=AUDIENCE)).status_code == 200
    assert_view_refused(ask(view, flows.client_credentials(shop)), 401, "invalid_token")
    assert_view_refused(ask(view, flows.client_credentials(shop, resource=f"{AUDIENCE}/2")), 401, "invalid_token")


@pytest.mark.parametrize("stored", ["null", '"https://api.example.com/orders"', '{"a": 1}', "[1]"])
def test_an_audience_that_is_no_list_of_names_opens_nothing(
    stored: str, shop: flows.Application, api: flows.Application
) -> None:
    token = flows.client_credentials(shop)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {AccessToken._meta.db_table} SET resource = %s", [stored])  # noqa: S608 - a name

    assert_inactive(flows.introspect(token, api))


def test_the_view_knows_the_client_and_the_issuer(shop: flows.Application) -> None:
    view = protect()
    assert ask(view, flows.client_credentials(shop)).status_code == 200

    assert view.ran[0].auth.client_id == shop.client.client_id
    assert view.ran[0].auth.iss == "https://auth.example.com"


def test_what_a_remote_server_once_said_is_not_vouched_for(api: flows.Application, user: Any, settings: Any) -> None:
    fields = {"token": "kept", "user": user, "expires": timezone.now() + DAY, "scope": "orders:read"}
    AccessToken.objects.create(**fields)
    assert flows.members("kept", api)["active"] is True
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "RESOURCE_SERVER_INTROSPECTION_URL": "https://elsewhere.example.com/introspect",
    }

    assert_inactive(flows.introspect("kept", api))
    assert flows.view("kept").status_code == 401


def test_a_bad_token_on_an_open_view_is_401_and_says_what_is_wrong(db: None) -> None:
    response = ask(protect(permission_classes=[AllowAny]), "unknown")

    assert_view_refused(response, 401, "invalid_token")
    assert "not provided" not in str(response.data)


def test_a_missing_scope_is_403_with_a_challenge_that_names_it(shop: flows.Application) -> None:
    response = flows.view(flows.client_credentials(shop, "orders:write"))

    assert response.status_code == 403
    assert challenge_of(response)[1]["scope"] == "orders:read"


def test_a_token_in_the_query_or_twice_is_not_taken(shop: flows.Application) -> None:
    token = flows.client_credentials(shop)

    assert Browser().get(f"/whoami?access_token={token}").status_code == 401
    assert Browser().get("/whoami", headers={"Authorization": f"Bearer {token} b"}).status_code == 400
    twice = Browser().get(f"/whoami?access_token={token}", headers={"Authorization": f"Bearer {token}"})
    assert twice.status_code == 400


def test_a_machine_is_an_authenticated_user(shop: flows.Application) -> None:
    view = protect(permission_classes=[IsAuthenticated])

    assert ask(view, flows.client_credentials(shop)).status_code == 200
    assert view.ran[0].user.is_client


def test_scopes_that_the_settings_do_not_name_are_kept(shop: flows.Application) -> None:
    token = flows.client_credentials(shop)
    AccessToken.objects.update(scope="orders:read  legacy ")
    view = protect()
    assert ask(view, token).status_code == 200

    assert view.ran[0].auth.scopes == {"orders:read", "legacy"}


def test_a_broken_query_string_is_the_views_own_business(shop: flows.Application) -> None:
    headers = {"Authorization": f"Bearer {flows.client_credentials(shop)}"}

    assert Browser().get("/whoami?q=%zz", headers=headers).status_code == 200


@pytest.mark.parametrize("value", ["nul\x00", "line\nbreak", "\ud800", "x" * 100_000, ""])
def test_a_value_that_no_database_should_see_is_unknown(value: str, db: None) -> None:
    from django_introspection.contrib.oauth_toolkit.tokens import answer_for_oauth_toolkit_token

    assert not answer_for_oauth_toolkit_token(value)


def test_credentials_are_form_decoded(db: None) -> None:
    application = flows.register(client_secret="a+b%25 c:" * 5)

    assert_inactive(flows.introspect("x", application))
    raw = base64.b64encode(f"{application.client.client_id}:{application.secret}".encode()).decode()
    assert endpoints.introspect("x", auth=f"Basic {raw}").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_is_said_of_any_token() -> None:
    caller = flows.register()
    flows.introspect("x", caller)
    with without_table(AccessToken):
        answers = [flows.introspect("x", caller), endpoints.introspect("x", auth="Bearer y"), flows.view("x")]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer["Retry-After"] for answer in answers} == {"5"}
