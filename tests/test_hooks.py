"""A mistake in a function of the project is answered 503, with a log line that names the function and the line."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from django_introspection.decorators import token_required
from django_introspection.hooks import call_hook
from django_introspection.protocol.errors import IntrospectionUnavailable
from django_introspection.resource_server.users import TokenUser
from tests import endpoints, factories
from tests.misbehaving.server import MisbehavingServer
from tests.resource_server.protected import TOKEN, ask, assert_unavailable, protect

SECRET = "text-of-an-exception-that-may-hold-a-secret"
RESULTS: dict[str, Any] = {}


def subject(user: Any) -> Any:
    return _result()


def members(*_: Any) -> Any:
    return _result()


def resolver(user: TokenUser, request: HttpRequest) -> Any:
    return _result()


def _result() -> Any:
    result = RESULTS["result"]
    if isinstance(result, Exception):
        raise result
    return result


class Lazy:
    """A user whose attributes are code of the project."""

    is_authenticated = True

    @property
    def is_active(self) -> bool:
        raise KeyError(SECRET)


@pytest.fixture
def configured(settings: Any) -> Any:
    def change(**values: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}

    return change


RAISED = [KeyError(SECRET), ZeroDivisionError(SECRET), AttributeError(SECRET), ValueError(SECRET)]
WRONG: dict[str, list[Any]] = {
    "SUBJECT": [None, "", 7, b"7", ["7"], "with\0NUL", "client:orders"],
    "MEMBERS": [None, 7, "text", [], {7: "x"}, {"x": object()}, {"x": float("nan")}, {"cnf": "x"}],
}
CASES = [(name, result) for name, wrong in WRONG.items() for result in [*RAISED, *wrong]]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "result"), CASES, ids=range(len(CASES)))
def test_a_hook_of_the_introspection_endpoint_that_fails_is_503(
    name: str, result: Any, configured: Any, caplog: pytest.LogCaptureFixture
) -> None:
    RESULTS["result"] = result
    caller = factories.ResourceServerFactory(introspection_policy="any")
    token = factories.TokenFactory(user=factories.UserFactory()).access_token
    configured(**{name: f"{__name__}.{name.lower()}"})

    response = endpoints.introspect(token, auth=caller)

    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    (line,) = [line for line in caplog.messages if line.startswith(f"TOKEN_INTROSPECTION['{name}'] ")]
    if isinstance(result, Exception):
        assert f"raised {type(result).__name__} at test_hooks.py:" in line
    assert SECRET not in caplog.text


@pytest.mark.django_db
def test_a_user_model_whose_name_fails_is_503(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    caller = factories.ResourceServerFactory(introspection_policy="any")
    user = factories.UserFactory()
    token = factories.TokenFactory(user=user).access_token
    for wrong in (lambda self: 1 / 0, lambda self: ["ada"]):
        monkeypatch.setattr(type(user), "get_username", wrong)

        assert endpoints.introspect(token, auth=caller).status_code == 503
    assert len([line for line in caplog.messages if line.startswith("User.get_username() ")]) == 2


NO_USERS = [*RAISED, 7, True, "ada", {"pk": 1}, object(), [], Lazy()]


def in_place(server: MisbehavingServer) -> dict[str, Any]:
    backend = server.settings()["BACKENDS"]["default"]
    return {"BACKENDS": {"default": {**backend, "USER": f"{__name__}.resolver"}}}


@pytest.mark.parametrize("result", NO_USERS, ids=range(len(NO_USERS)))
def test_a_resolver_that_fails_is_503_and_lets_nobody_in(
    result: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    RESULTS["result"] = result
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = in_place(server)
        view = protect()

        assert_unavailable(ask(view, TOKEN), view)
    assert any(line.startswith("TOKEN_INTROSPECTION['BACKENDS']['default']['USER'] ") for line in caplog.messages)
    assert SECRET not in caplog.text


def test_a_resolver_may_deny(settings: Any) -> None:
    RESULTS["result"] = PermissionDenied()
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = in_place(server)

        assert ask(protect(), TOKEN).status_code == 403


def test_a_resolver_that_returns_the_anonymous_user_refuses(settings: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    RESULTS["result"] = AnonymousUser()
    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = in_place(server)

        assert ask(protect(), TOKEN).status_code == 401


def test_an_outage_in_a_hook_stays_one() -> None:
    def away() -> None:
        raise IntrospectionUnavailable("the directory does not answer", retry_after=7)

    with pytest.raises(IntrospectionUnavailable) as outage:
        call_hook("HOOK", away, read=str)
    assert outage.value.retry_after == 7


def test_a_resolver_that_fails_in_an_async_view_is_503(settings: Any) -> None:
    RESULTS["result"] = ZeroDivisionError(SECRET)

    @token_required()
    async def orders(request: Any) -> HttpResponse:
        return HttpResponse()

    with MisbehavingServer() as server:
        settings.TOKEN_INTROSPECTION = in_place(server)
        request = RequestFactory().get("/", headers={"Authorization": f"Bearer {TOKEN}"})

        assert async_to_sync(orders)(request).status_code == 503


@pytest.mark.django_db
def test_a_token_for_a_user_that_cannot_be_named_is_not_issued(
    configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = factories.UserFactory()
    with monkeypatch.context() as patch:
        patch.setattr(type(user), "get_username", lambda self: 1 / 0)
        with pytest.raises(ValidationError, match="get_username"):
            factories.TokenFactory(user=user)
    RESULTS["result"] = KeyError(SECRET)
    configured(SUBJECT=f"{__name__}.subject")

    with pytest.raises(ValidationError, match="SUBJECT"):
        factories.TokenFactory(user=user)
