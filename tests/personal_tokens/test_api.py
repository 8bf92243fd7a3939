"""The API of personal tokens."""

from __future__ import annotations

import uuid
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from django.core.cache import caches
from django.db import InterfaceError, OperationalError, connection
from django.test import Client as Browser
from django.urls import include, path
from rest_framework.authentication import BaseAuthentication
from rest_framework.routers import DefaultRouter

from django_introspection import introspect, revocations
from django_introspection.authorization_server import revoking
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.personal_tokens import api
from django_introspection.personal_tokens.api import PersonalTokenThrottle, PersonalTokenViewSet
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.protocol.errors import IntrospectionUnavailable
from tests import factories
from tests.contrib.test_spectacular import generate
from tests.personal_tokens.conftest import configure, make
from tests.settings import AUDIENCE, ISSUER

pytestmark = pytest.mark.django_db

LIST = "/api/tokens/"


class OtherTokens(BaseAuthentication):
    """The tokens of another package."""

    def authenticate(self, request: Any) -> Any:
        return factories.User.objects.first(), "a token of another package"


class WithOthers(PersonalTokenViewSet):
    authentication_classes = (OtherTokens,)  # type: ignore[assignment]


router = DefaultRouter()
router.register("tokens", PersonalTokenViewSet, basename="personal-token")
router.register("others", WithOthers, basename="other")
urls = ModuleType("urls")
urls.urlpatterns = [path("api/", include(router.urls))]


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> None:
    settings.ROOT_URLCONF = urls


@pytest.fixture
def browser(user: Any) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def broken(user: Any) -> Any:
    raise LookupError


def test_without_the_cache_no_request_is_counted(browser: Browser, settings: Any, caplog: Any) -> None:
    unreachable = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    settings.CACHES = {**settings.CACHES, "unreachable": unreachable}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"ALIAS": "unreachable"}}

    assert [browser.get(LIST).status_code for _ in range(70)] == [200] * 70
    assert caplog.text.count("the cache of throttle counts of personal tokens does not answer") == 1


def by_token(token: str, method: str = "get", address: str = LIST, data: Any = None, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return getattr(Browser(), method)(address, data, content_type="application/json", headers=headers, **more)


def send(browser: Browser, address: str = LIST, **data: Any) -> Any:
    return browser.post(address, {"name": "laptop", **data}, content_type="application/json")


def one(issued: Any, action: str = "") -> str:
    return f"{LIST}{issued.row.pk}/{action}"


def test_a_session_makes_a_token_whose_value_is_in_this_answer_alone(browser: Browser, user: Any) -> None:
    made = send(browser, description="d", scope="orders:read", networks=["192.0.2.7"], lifetime=3600)

    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    answer = made.json()
    value = answer.pop("token")
    assert (answer["scope"], answer["networks"], answer["last_used_at"]) == ("orders:read", ["192.0.2.7/32"], None)
    row = PersonalToken.objects.live(user).get()
    assert row.token.expires_at - row.token.issued_at == timedelta(hours=1)
    listed = browser.get(LIST)
    assert listed.json() == {"count": 1, "next": None, "previous": None, "results": [answer]}
    assert browser.get(f"{LIST}{row.pk}/").json() == answer
    assert listed["Cache-Control"] == "no-store"
    assert answer["expires_at"] == row.token.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    info = introspect(value, address="192.0.2.7")
    assert info is not None
    assert info.jti == answer["id"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"scope": "orders:write"}, "scope"),
        ({"scope": 'a"b'}, "scope"),
        ({"scope": ["orders:read"]}, "scope"),
        ({"networks": ["192.0.2.1/24"]}, "networks"),
        ({"networks": "192.0.2.1"}, "networks"),
        ({"networks": ["192.0.2.1"] * 51}, "networks"),
        ({"lifetime": 0}, "lifetime"),
        ({"lifetime": 366 * 86400}, "lifetime"),
        ({"lifetime": 10**30}, "lifetime"),
        ({"lifetime": "x"}, "lifetime"),
    ],
)
def test_a_wrong_entry_is_named(browser: Browser, wrong: dict[str, Any], field: str) -> None:
    answer = send(browser, **wrong)

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Token.objects.exists()


def test_a_token_is_rotated_and_revoked(browser: Browser, user: Any) -> None:
    old = make(user)

    rotated = browser.post(one(old, "rotate/"), {"grace": 60}, content_type="application/json")

    assert rotated.status_code == 200
    value = rotated.json()["token"]
    assert introspect(old.value) is not None
    assert introspect(value) is not None
    again = browser.post(one(old, "rotate/"), {}, content_type="application/json")
    assert (again.status_code, list(again.json())) == (400, ["non_field_errors"])
    assert browser.delete(f"{LIST}{rotated.json()['id']}/").status_code == 204
    assert introspect(value) is None
    assert browser.delete(f"{LIST}{rotated.json()['id']}/").status_code == 404
    revoked = Token.objects.get(pk=rotated.json()["id"])
    assert revoked.revoked_by == f"user {user.get_username()}"


@pytest.mark.parametrize("grace", [-1, 8 * 86400, "x"])
def test_another_grace_is_refused(browser: Browser, user: Any, grace: Any) -> None:
    answer = browser.post(one(make(user), "rotate/"), {"grace": grace}, content_type="application/json")

    assert (answer.status_code, list(answer.json())) == (400, ["grace"])


def test_without_credentials_the_answer_is_401_with_a_challenge() -> None:
    answer = Browser().get(LIST)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")


def test_a_form_of_another_site_makes_none(user: Any) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)

    assert send(browser).status_code == 403
    assert not Token.objects.exists()


def test_a_token_needs_the_scope_that_manages_tokens(user: Any) -> None:
    weak, strong = make(user), make(user, scope=["tokens:manage"])
    refused = by_token(weak.value, "post", data={"name": "x"})

    assert refused.status_code == 403
    assert 'scope="tokens:manage"' in refused["WWW-Authenticate"]
    assert by_token(weak.value).status_code == 403
    assert by_token(weak.value, "delete", one(strong)).status_code == 403
    assert by_token(strong.value).json()["count"] == 2
    assert by_token(strong.value, "delete", one(weak)).status_code == 204
    assert f"by token {strong.row.pk}" in Token.objects.get(pk=weak.row.pk).revoked_by


def test_a_token_never_gives_more_than_it_has(user: Any) -> None:
    limited = make(user, scope=["tokens:manage"], networks=["127.0.0.0/8"], lifetime=timedelta(hours=1))
    powerful = make(user, scope=["orders:read"])

    more = by_token(limited.value, "post", data={"name": "x", "scope": "orders:read"})
    wider = by_token(limited.value, "post", data={"name": "x", "networks": ["10.0.0.0/8"]})
    other = by_token(limited.value, "post", one(powerful, "rotate/"), {})
    made = by_token(limited.value, "post", data={"name": "x", "scope": "tokens:manage", "lifetime": 86400})

    assert (more.status_code, list(more.json())) == (400, ["scope"])
    assert (wider.status_code, list(wider.json())) == (400, ["networks"])
    assert (other.status_code, list(other.json())) == (400, ["scope"])
    assert introspect(powerful.value) is not None
    assert made.status_code == 201
    assert made.json()["networks"] == ["127.0.0.0/8"]
    assert Token.objects.get(pk=made.json()["id"]).expires_at <= limited.row.token.expires_at
    assert by_token(limited.value, REMOTE_ADDR="192.0.2.1").status_code == 401


def test_neither_a_client_nor_a_token_of_another_package_manages_tokens(machine: Any, user: Any) -> None:
    client, _ = machine
    own = factories.TokenFactory(client=client, scope="tokens:manage").access_token

    assert by_token(own).status_code == 403
    assert Browser().get("/api/others/").status_code == 403
    assert Browser().post("/api/others/", {"name": "x"}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("method", ["get", "delete", "rotate"])
def test_the_tokens_of_others_do_not_exist(user: Any, method: str) -> None:
    issued = make(user)
    stranger = Browser()
    stranger.force_login(factories.UserFactory())

    for key in (issued.row.pk, uuid.uuid4()):
        address = f"{LIST}{key}/"
        answer = (
            stranger.post(f"{address}rotate/", {}, content_type="application/json")
            if method == "rotate"
            else getattr(stranger, method)(address)
        )
        assert answer.status_code == 404
    assert stranger.get(LIST).json()["count"] == 0
    assert introspect(issued.value) is not None


def test_what_has_ended_is_not_listed(browser: Browser, user: Any) -> None:
    issued = make(user)
    Token.objects.update(expires_at=now())

    assert browser.get(LIST).json()["count"] == 0
    assert browser.get(one(issued)).status_code == 404


def test_the_list_has_pages(browser: Browser, user: Any, django_assert_num_queries: Any) -> None:
    for _ in range(4):
        make(user)
    browser.get(LIST)
    with django_assert_num_queries(4):  # session, user, count, page
        answer = browser.get(f"{LIST}?page_size=3").json()

    assert (answer["count"], len(answer["results"])) == (4, 3)
    assert answer["next"].endswith("page=2&page_size=3")


def test_requests_of_a_user_are_throttled(browser: Browser, monkeypatch: Any) -> None:
    monkeypatch.setattr(PersonalTokenThrottle, "rate", "2/min")
    statuses = [browser.get(LIST).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert caches["default"]


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_fails_is_503(
    error: type[Exception], browser: Browser, user: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    issued = make(user)

    def fail(*_: Any, **__: Any) -> None:
        raise error("deadlock detected")

    for name in ("issue", "rotate", "revoke"):
        monkeypatch.setattr(api.issuing, name, fail)
    rotated = browser.post(one(issued, "rotate/"), {}, content_type="application/json")
    answers = [send(browser), rotated, browser.delete(one(issued))]
    monkeypatch.setattr(type(PersonalToken.objects), "live", fail)
    answers += [browser.get(LIST), browser.get(one(issued))]

    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == [(503, "5")] * 5
    assert f"the API of personal tokens cannot answer: {error.__name__}" in caplog.messages
    assert "deadlock" not in caplog.text


def test_rights_or_a_cache_that_cannot_be_asked_are_503(
    browser: Browser, user: Any, settings: Any, monkeypatch: Any
) -> None:
    issued, other = make(user), make(user)
    configure(settings, SCOPES=f"{__name__}.broken")
    for answer in (send(browser), browser.post(one(issued, "rotate/"), {}, content_type="application/json")):
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    configure(settings)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()

    def fail(*_: Any, **__: Any) -> None:
        raise IntrospectionUnavailable("down")

    monkeypatch.setattr(revoking.revocations, "write_tombstones", fail)
    assert browser.delete(one(issued)).status_code == 503
    rotated = browser.post(one(other, "rotate/"), {}, content_type="application/json")
    assert (rotated.status_code, "token" in rotated.json()) == (200, True)
    assert Token.objects.filter(revoked_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_what_was_revoked_stays_revoked_although_the_answer_is_an_error(
    browser: Browser, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """Also with ATOMIC_REQUESTS, whose transaction an error undoes."""
    issued = make(user)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()

    def fail(*_: Any, **__: Any) -> None:
        raise IntrospectionUnavailable("down")

    monkeypatch.setattr(revoking.revocations, "write_tombstones", fail)
    if action == "revoke":
        assert browser.delete(one(issued)).status_code == 503
    else:
        monkeypatch.setattr(PersonalTokenViewSet, "_shown", fail)
        assert browser.post(one(issued, "rotate/"), {}, content_type="application/json").status_code == 503

    assert Token.objects.get(pk=issued.row.pk).revoked_at is not None


def test_no_database_of_a_project_has_a_transaction_around_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "connections", ["default", "tokens"])

    assert PersonalTokenViewSet.as_view({"get": "list"})._non_atomic_requests == {"default", "tokens"}


def test_a_session_beside_another_credential_opens_nothing(browser: Browser, user: Any) -> None:
    """The other package asks for no CSRF token."""
    issued = make(user)

    assert browser.get("/api/others/").status_code == 403
    assert browser.delete(f"/api/others/{issued.row.pk}/").status_code == 403
    assert Token.objects.filter(revoked_at=None).count() == 1


def test_the_requests_of_one_user_are_not_those_of_another(
    browser: Browser, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PersonalTokenThrottle, "rate", "2/min")
    other = Browser()
    other.force_login(factories.UserFactory())

    assert [browser.get(LIST).status_code for _ in range(3)] == [200, 200, 429]
    assert other.get(LIST).status_code == 200


def test_a_page_has_a_hundred_tokens_at_most(browser: Browser, user: Any) -> None:
    tokens = [factories.TokenFactory(user=user).token for _ in range(101)]
    PersonalToken.objects.bulk_create(
        PersonalToken(token=token, user=user, name="x", expires_at=token.expires_at) for token in tokens
    )

    answer = browser.get(LIST, {"page_size": 1000}).json()

    assert (answer["count"], len(answer["results"])) == (101, 100)


def test_a_bearer_token_for_another_audience_manages_nothing(user: Any) -> None:
    other = factories.TokenFactory(user=user, scope="tokens:manage", audience=[ISSUER]).access_token
    right = factories.TokenFactory(user=user, scope="tokens:manage", audience=[AUDIENCE]).access_token

    assert by_token(other).status_code == 401
    assert by_token(right).status_code == 200


@pytest.mark.processes
def test_drf_spectacular_describes_the_api() -> None:
    schema = generate("personal_tokens")
    paths = {path: sorted(methods) for path, methods in schema["paths"].items()}
    schemas = schema["components"]["schemas"]

    assert paths == {
        "/api/tokens/": ["get", "post"],
        "/api/tokens/{id}/": ["delete", "get"],
        "/api/tokens/{id}/rotate/": ["post"],
    }
    assert "token" not in schemas["PersonalToken"]["properties"]
    assert schemas["NewToken"]["properties"]["token"]["readOnly"] is True
    assert schema["paths"]["/api/tokens/"]["post"]["security"][0] == {"accessToken": ["tokens:manage"]}
