"""Resolvers: the users of this project's own table, and functions of the project."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.test.client import RequestFactory

from django_introspection import TokenInfo, token_backends
from django_introspection.backends.registry import TokenBackends
from django_introspection.decorators import token_required
from django_introspection.exceptions import InvalidBackend
from django_introspection.resource_server.local_users import LocalUser
from django_introspection.resource_server.users import TokenUser, resolver_of
from tests import factories
from tests.misbehaving.server import MisbehavingServer

from .protected import TOKEN, ask, assert_refused, assert_unavailable, protect

pytestmark = pytest.mark.django_db
User = get_user_model()
LOCAL = "django_introspection.resource_server.local_users.LocalUser"
ISSUER = "https://auth.example.com"
HEADER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def remote(authorization_server: MisbehavingServer, settings: Any) -> Any:
    """Return a function that sets the resolver and asks a view; it returns the answer and the user of the view."""

    def asked(user: Any = None, *, method: str = "get", **members: Any) -> tuple[Any, Any]:
        backend = {**authorization_server.settings()["BACKENDS"]["default"], "USER": user}
        if {"BACKENDS": {"default": backend}} != settings.TOKEN_INTROSPECTION:
            settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": backend}}
        authorization_server.behave("active", **{"iss": ISSUER, "sub": "42", "client_id": "app", **members})
        view = protect()
        response = ask(view, TOKEN, method=method)
        return response, view.ran[0].user if view.ran else None

    return asked


def local(**options: Any) -> dict[str, Any]:
    return {"RESOLVER": LOCAL, "OPTIONS": options}


BY_SUB = local(claim="sub")
CREATING = local(claim="sub", create="on_write")


def test_a_user_of_the_table_is_found_by_claim_and_field(remote: Any) -> None:
    anna = factories.UserFactory(username="42", email="anna@example.com")

    assert remote(BY_SUB)[1] == anna
    assert remote(local(claim="email", field="email"), email="anna@example.com")[1] == anna


def test_somebody_unknown_is_refused_and_gets_no_row(remote: Any) -> None:
    for method in ("get", "post"):
        assert_refused(remote(BY_SUB, method=method)[0], 401, "invalid_token")
    assert not User.objects.exists()


@pytest.mark.parametrize("value", [None, "", 42, ["42"], {"a": 1}, "4\u00002", "x" * 1000])
def test_a_claim_that_is_no_name_is_refused(remote: Any, value: Any) -> None:
    factories.UserFactory(username="42")

    assert_refused(remote(local(claim="login", create="always"), login=value)[0], 401, "invalid_token")
    assert User.objects.count() == 1


def test_a_name_in_another_case_is_another_name(remote: Any) -> None:
    factories.UserFactory(username="Anna")

    assert_refused(remote(BY_SUB, sub="anna")[0], 401, "invalid_token")


def test_a_name_that_only_a_collation_takes_for_the_same_is_another_name(
    remote: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a database whose collation ignores case."""
    anna = factories.UserFactory(username="Anna")
    monkeypatch.setattr(type(User._default_manager), "get", lambda *_, **__: anna)

    assert_refused(remote(BY_SUB, sub="anna")[0], 401, "invalid_token")
    assert remote(BY_SUB, sub="Anna")[0].status_code == 200


def test_an_inactive_user_is_refused(remote: Any) -> None:
    factories.UserFactory(username="42", is_active=False)

    for user in (BY_SUB, CREATING):
        assert_refused(remote(user, method="post")[0], 401, "invalid_token")


@pytest.mark.parametrize("privilege", ["is_staff", "is_superuser"])
def test_a_name_from_elsewhere_is_nobody_of_the_staff_unless_that_is_allowed(remote: Any, privilege: str) -> None:
    root = factories.UserFactory(username="42", **{privilege: True})

    assert_refused(remote(BY_SUB)[0], 401, "invalid_token")
    assert_refused(remote(CREATING, method="post")[0], 401, "invalid_token")
    assert remote(local(claim="sub", allow_staff=True))[1] == root


def test_somebody_new_gets_a_row_with_the_first_request_that_may_change_something(remote: Any) -> None:
    for method in ("get", "head", "options"):
        response, user = remote(CREATING, method=method)
        assert response.status_code in (200, 405)
        assert user is None or isinstance(user, TokenUser)
        assert not User.objects.exists()

    _, user = remote(CREATING, method="post")

    assert user == User.objects.get()
    assert user.username == "42"
    assert user.is_active
    assert not user.has_usable_password()
    assert not any([user.is_staff, user.is_superuser])
    assert remote(CREATING)[1] == user


def test_somebody_new_gets_a_row_with_any_request_where_that_is_asked_for(remote: Any) -> None:
    assert remote(local(claim="sub", create="always"))[1] == User.objects.get()


def test_the_identity_is_issuer_and_subject(remote: Any) -> None:
    creating = local(create="always")
    users = {
        remote(creating)[1].pk,
        remote(creating, sub="43")[1].pk,
        remote(creating, username="renamed")[1].pk,
    }

    assert len(users) == 2
    assert User.objects.count() == 2


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_client_is_nobody_of_the_table(remote: Any, method: str) -> None:
    factories.UserFactory(username="app")

    for members in ({"sub": "app"}, {"sub": None}):
        user = remote(CREATING, method=method, **members)[1]
        assert isinstance(user, TokenUser)
        assert user.is_client
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_first_requests_at_once_one_makes_the_row_and_both_find_it() -> None:
    resolver = LocalUser(claim="sub", create="always")
    user = TokenUser(TokenInfo({"sub": "42", "iss": ISSUER}))
    found: list[Any] = []
    both = threading.Barrier(2, timeout=30)

    class Late(LocalUser):
        def _find(self, name: str) -> Any:
            nobody = super()._find(name)
            both.wait()
            return nobody

    def first(resolver: LocalUser) -> None:
        try:
            found.append(resolver(user, RequestFactory().post("/")))
        finally:
            connection.close()

    if connection.vendor == "sqlite":  # one connection in memory: the other request comes between the two statements

        class Between(LocalUser):
            def _find(self, name: str) -> Any:
                nobody = super()._find(name)
                found.append(resolver(user, RequestFactory().post("/")))
                return nobody

        found.append(Between(claim="sub", create="always")(user, RequestFactory().post("/")))
    else:
        threads = [threading.Thread(target=first, args=[Late(claim="sub", create="always")]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert [each.pk for each in found] == [User.objects.get().pk] * 2


def own(user: TokenUser, request: HttpRequest) -> Any:
    return User.objects.filter(email=user.token_info.get("email", "")).first()


def failing(user: TokenUser, request: HttpRequest) -> Any:
    raise {
        "database": DatabaseError,
        "bug": ZeroDivisionError,
        "attribute": AttributeError,
        "denied": PermissionDenied,
    }[user.token_info["kind"]]


async def coroutine(user: TokenUser, request: HttpRequest) -> Any: ...


def test_a_function_of_the_project_says_who_it_is_or_refuses(remote: Any) -> None:
    anna = factories.UserFactory(email="anna@example.com")
    path = f"{__name__}.own"

    assert remote(path, email="anna@example.com")[1] == anna
    assert_refused(remote(path, email="berta@example.com")[0], 401, "invalid_token")
    User.objects.update(is_active=False)
    assert_refused(remote(path, email="anna@example.com")[0], 401, "invalid_token")


def test_a_resolver_that_fails_lets_nobody_in(remote: Any, authorization_server: MisbehavingServer) -> None:
    path = f"{__name__}.failing"
    response, user = remote(path, kind="database")
    assert user is None
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert remote(path, kind="denied")[0].status_code == 403
    for kind in ("bug", "attribute"):
        assert remote(path, kind=kind)[0].status_code == 503


def test_a_table_that_is_gone_is_503(remote: Any) -> None:
    view = protect()
    remote(BY_SUB)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(User._meta, "db_table", "no_such_table")
        assert_unavailable(ask(view, TOKEN), view)


def test_a_local_token_has_its_own_user_and_asks_no_resolver(settings: Any) -> None:
    own_backend = {"BACKEND": "django_introspection.backends.DatabaseBackend", "USER": f"{__name__}.failing"}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own_backend}}
    anna = factories.UserFactory()
    view = protect()

    ask(view, factories.TokenFactory(user=anna).access_token)

    assert view.ran[0].user == anna


def test_an_async_view_resolves_off_the_event_loop(remote: Any) -> None:
    @token_required()
    async def orders(request: Any) -> HttpResponse:
        return HttpResponse(str((await request.auser()).pk))

    user = remote(local(claim="sub", create="always"))[1]
    request = RequestFactory().get("/", headers=HEADER)

    assert async_to_sync(orders)(request).content == str(user.pk).encode()


def test_a_user_is_looked_up_by_one_statement(remote: Any, django_assert_num_queries: Any) -> None:
    factories.UserFactory(username="42")

    with django_assert_num_queries(1):
        remote(BY_SUB)


WRONG = {
    "number": 7,
    "not there": "tests.no_such.function",
    "no path": "function",
    "no function": f"{__name__}.ISSUER",
    "coroutine": f"{__name__}.coroutine",
    "no resolver": {"OPTIONS": {}},
    "unknown key": {"RESOLVER": LOCAL, "CLAIM": "sub"},
    "unknown option": local(clam="sub"),
    "options of a function": {"RESOLVER": f"{__name__}.own", "OPTIONS": {}},
    "create": local(create=True),
    "claim": local(claim=""),
    "field": local(field=None),
    "allow_staff": local(allow_staff="yes"),
    "options": {"RESOLVER": LOCAL, "OPTIONS": ["sub"]},
}


@pytest.mark.parametrize("user", WRONG.values(), ids=WRONG)
def test_a_resolver_that_cannot_be_is_an_error_of_the_settings(user: Any, settings: Any) -> None:
    own_backend = {"BACKEND": "django_introspection.backends.DatabaseBackend", "USER": user}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": own_backend}}

    with pytest.raises(InvalidBackend, match=r"TOKEN_INTROSPECTION\['BACKENDS'\]\['default'\]\['USER'\]"):
        resolver_of(token_backends["default"])


@pytest.mark.parametrize(("field", "problem"), [("nothing", "no field"), ("email", "not unique"), ("username", None)])
def test_the_field_must_name_one_user(field: str, problem: str | None) -> None:
    said = LocalUser(claim="sub", field=field).problem()

    assert (said is None) if problem is None else (said is not None and problem in said)


def test_each_backend_has_its_own_resolver(settings: Any) -> None:
    entry = {"BACKEND": "django_introspection.backends.DatabaseBackend"}
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"a": {**entry, "USER": f"{__name__}.own"}, "b": entry}}
    backends = TokenBackends()

    assert resolver_of(backends["a"]) is own
    assert resolver_of(backends["b"]) is None
