"""Permissions by scope: alone, composed, beside others, and for objects."""

from __future__ import annotations

import operator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from django_introspection import permissions
from django_introspection.permissions import HasScope, requires_claim, requires_scope
from tests import factories

from .protected import ask, assert_refused, challenge_of, protect

pytestmark = pytest.mark.django_db


class IsPaid(BasePermission):
    message = "Pay first."

    def has_permission(self, request: Request, view: Any) -> bool:
        return getattr(view, "paid", False)


class IsOwner(BasePermission):
    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return bool(obj.owner == str(request.user))


class Failing(BasePermission):
    """Rely on the permissions before it, as people do."""

    def has_permission(self, request: Request, view: Any) -> bool:
        raise AttributeError


Read, Write, Refund = (requires_scope(f"orders:{name}") for name in ("read", "write", "refund"))


def token(scope: str = "orders:read", **grant: Any) -> str:
    value: str = factories.TokenFactory(scope=scope, **grant).access_token
    return value


def denied_scope(response: Any) -> str | None:
    """Return what the insufficient_scope challenge names, after asserting that it is one."""
    assert_refused(response, 403, "insufficient_scope")
    return challenge_of(response)[1].get("scope")


def assert_plain(response: Any) -> None:
    """Assert a refusal that has nothing to do with scope."""
    assert response.status_code == 403
    assert "WWW-Authenticate" not in response


PER_METHOD = {"GET": ["orders:read"], "POST": ["orders:read", "orders:write"], "DELETE": []}


@pytest.mark.requirement("6749-7-a")
@pytest.mark.parametrize(
    ("method", "scope", "missing"),
    [
        ("get", "orders:read", None),
        ("get", "other orders:read", None),
        ("get", "orders:write", "orders:read"),
        ("get", "", "orders:read"),
        ("get", "orders:reader", "orders:read"),
        ("get", "Orders:Read", "orders:read"),
        ("head", "orders:read", None),
        ("head", "", "orders:read"),
        ("post", "orders:write orders:read", None),
        ("post", "orders:write", "orders:read orders:write"),
        ("delete", "", None),
    ],
)
def test_each_method_asks_for_its_own_scope(method: str, scope: str, missing: str | None) -> None:
    view = protect(permission_classes=[HasScope], required_scopes=PER_METHOD, head=lambda self, request: Response())

    response = ask(view, token(scope), method=method)

    if missing is None:
        assert response.status_code == 200
    else:
        assert denied_scope(response) == missing
        assert view.ran == []


@pytest.mark.parametrize("method", ["put", "options"])
def test_a_method_that_is_not_named_is_refused_and_names_no_scope(method: str) -> None:
    view = protect(permission_classes=[HasScope], required_scopes=PER_METHOD)

    assert denied_scope(ask(view, token("orders:read orders:write"), method=method)) is None
    assert view.ran == []


def test_a_name_of_a_method_in_lower_case_names_nothing() -> None:
    view = protect(permission_classes=[HasScope], required_scopes={"get": []})

    assert denied_scope(ask(view, token())) is None


def test_a_list_is_asked_for_whatever_the_method() -> None:
    view = protect(permission_classes=[HasScope], required_scopes=("orders:read",))

    assert {ask(view, token(), method=method).status_code for method in ("get", "post", "put")} == {200}
    assert denied_scope(ask(view, token("orders:write"), method="put")) == "orders:read"


def test_an_empty_list_asks_for_a_token_and_no_scope() -> None:
    view = protect(permission_classes=[HasScope], required_scopes=[])

    assert ask(view, token("")).status_code == 200
    assert_refused(ask(view), 401, None)


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(None, id="nothing"),
        pytest.param("orders:read", id="string"),
        pytest.param(7, id="number"),
        pytest.param([None], id="list of None"),
        pytest.param([""], id="list of empty"),
        pytest.param([["orders:read"]], id="list of lists"),
        pytest.param(['orders"read'], id="quote"),
        pytest.param(["orders\r\nread"], id="line break"),
        pytest.param({"GET": "orders:read"}, id="string by method"),
        pytest.param({"GET": None}, id="None by method"),
        pytest.param({"GET": [], "POST": None}, id="None by another method"),
        pytest.param(map("orders:{}".format, ["read", "write"]), id="map"),
        pytest.param({"GET": (each for each in ["orders:read"])}, id="generator by method"),
        pytest.param(iter(["orders:read"]), id="iterator"),
        pytest.param({"orders:read": 1}.keys(), id="keys"),
        pytest.param(dict.fromkeys(["GET"], {"orders:read": []}), id="dictionary by method"),
    ],
)
def test_a_wrong_declaration_is_an_error_of_the_project(declared: Any) -> None:
    view = protect(permission_classes=[HasScope], required_scopes=declared)

    with pytest.raises(ImproperlyConfigured, match=r"Orders\.required_scopes"):
        ask(view, token())


def test_a_scope_that_is_an_iterator_never_opens_a_view() -> None:
    """An iterator is empty for the second request; the check must not use it up either."""
    names = iter(["orders:read", "orders:write"])
    view = protect(permission_classes=[HasScope], required_scopes=names)

    for _ in range(3):
        with pytest.raises(ImproperlyConfigured, match="must be a list, tuple or set"):
            ask(view, token("other"))
    assert view.ran == []
    assert list(names) == ["orders:read", "orders:write"]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_scopes_are_a_list_a_tuple_or_a_set(kind: Any) -> None:
    for declared in (kind(["orders:read", "orders:write"]), {"GET": kind(["orders:write", "orders:read"])}):
        view = protect(permission_classes=[HasScope], required_scopes=declared)

        assert ask(view, token("orders:read orders:write")).status_code == 200
        assert set((denied_scope(ask(view, token("orders:read"))) or "").split()) == {"orders:read", "orders:write"}


def test_a_declaration_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    view, read = protect(permission_classes=[HasScope], required_scopes={"GET": ["orders:read"]}), []
    monkeypatch.setattr(permissions, "parse_scope", lambda scope: read.append(scope) or (scope,))

    assert [ask(view, token()).status_code for _ in range(3)] == [200, 200, 200]
    assert read == ["orders:read"]


def test_a_view_that_makes_its_declaration_anew_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "_MAX_DECLARATIONS", 2)
    required = property(lambda view: [view.request.query_params["scope"]])
    view = protect(permission_classes=[HasScope], required_scopes=required)

    assert [denied_scope(ask(view, token(), path=f"/orders?scope={name}")) for name in "abcde"] == list("abcde")
    assert len(permissions._declarations) <= 2


def test_a_client_that_asks_for_the_scope_it_is_refused_for_comes_in() -> None:
    """Whatever the form: a second refusal for another scope would send it round for ever."""
    for composed in ([Read, Write], [Read & Write], [Read, Write | Refund], [HasScope, Refund], [IsPaid | Read, Write]):
        view = protect(permission_classes=composed, required_scopes=["orders:read", "orders:write"])
        scope = denied_scope(ask(view, token("other")))
        assert ask(view, token(scope)).status_code == 200, composed


def test_a_request_without_a_token_hears_of_the_scope() -> None:
    response = ask(protect(permission_classes=[Read, Write]))

    assert_refused(response, 401, None)
    assert challenge_of(response)[1]["scope"] == "orders:read orders:write"


def test_scopes_in_the_place_of_a_permission_class_are_a_mistake_that_is_explained() -> None:
    with pytest.raises(TypeError, match=r"requires_scope\('orders:read'\)"):
        HasScope("orders:read")  # type: ignore[call-arg]  # the mistake under test


def test_a_view_that_declares_nothing_is_an_error_of_the_project() -> None:
    with pytest.raises(ImproperlyConfigured, match="required_scopes"):
        ask(protect(permission_classes=[HasScope]), token())


def test_requires_scope_asks_for_every_scope_it_is_given() -> None:
    for both in (requires_scope("orders:read", "orders:write"), requires_scope("orders:read orders:write")):
        view = protect(permission_classes=[both])
        assert ask(view, token("orders:write orders:read")).status_code == 200
        assert denied_scope(ask(view, token("orders:write"))) == "orders:read orders:write"


@pytest.mark.parametrize("scopes", [(), ("",), ("a", ""), ('a"b',), ("a\nb",), ("a  b",), ("café",), (None,), (["a"],)])
def test_requires_scope_refuses_what_is_no_scope(scopes: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        requires_scope(*scopes)


def test_requires_scope_is_the_same_class_for_the_same_scope() -> None:
    assert requires_scope("orders:read") is Read


@pytest.mark.parametrize("permission", [HasScope, Read, requires_claim("roles", "seller")])
def test_a_permission_that_reads_the_token_cannot_be_inverted(permission: Any) -> None:
    with pytest.raises(TypeError, match="cannot be inverted"):
        operator.invert(permission)


@pytest.mark.parametrize("composed", [Read | IsAdminUser, IsAdminUser | Read], ids=["scope first", "scope last"])
def test_scope_or_admin(composed: Any) -> None:
    view = protect(permission_classes=[composed])
    admin = factories.UserFactory(is_staff=True)

    assert ask(view, token("orders:read")).status_code == 200
    assert ask(view, token("orders:write", user=admin)).status_code == 200
    assert denied_scope(ask(view, token("orders:write"))) == "orders:read"
    assert_refused(ask(view), 401, None)


@pytest.mark.parametrize("composed", [Read & IsAdminUser, IsAdminUser & Read], ids=["scope first", "scope last"])
def test_scope_and_admin(composed: Any) -> None:
    view = protect(permission_classes=[composed])
    admin = factories.UserFactory(is_staff=True)

    assert ask(view, token("orders:read", user=admin)).status_code == 200
    assert_plain(ask(view, token("orders:read")))
    assert denied_scope(ask(view, token("orders:write", user=admin))) == "orders:read"


@pytest.mark.parametrize(
    ("composed", "scope", "missing"),
    [
        pytest.param(Read & Write, "orders:read", "orders:read orders:write", id="and"),
        pytest.param(Read & Write, "orders:write", "orders:read orders:write", id="and, the other"),
        pytest.param((Read | IsPaid) & Write, "orders:read", "orders:read orders:write", id="or within and"),
        pytest.param((Read | AllowAny) & Write, "orders:read", "orders:write", id="or with another that passes"),
        pytest.param(IsPaid | (Read & Write), "orders:read", "orders:read orders:write", id="and within or"),
        pytest.param((Read & Write) | Refund, "orders:read", "orders:refund", id="the shorter side of or"),
        pytest.param((Read & Write) | (IsPaid & Refund), "", "orders:read orders:write", id="the possible side of or"),
        pytest.param((Read | Write) & (Write | Refund), "", "orders:write", id="one scope for both"),
    ],
)
def test_a_composition_names_the_shortest_scope_that_opens_the_view(composed: Any, scope: str, missing: str) -> None:
    assert denied_scope(ask(protect(permission_classes=[composed]), token(scope))) == missing


def test_either_of_two_scopes_is_enough() -> None:
    view = protect(permission_classes=[Read | Write])

    assert ask(view, token("orders:read")).status_code == 200
    assert ask(view, token("orders:write")).status_code == 200
    assert denied_scope(ask(view, token("other"))) in ("orders:read", "orders:write")


@pytest.mark.requirement("6750-3.1-c")
@pytest.mark.parametrize(
    ("classes", "scope", "missing"),
    [
        pytest.param([IsAuthenticated, Read], "", "orders:read", id="after another"),
        pytest.param([Read, IsPaid], "", "orders:read", id="before one that would fail too"),
        pytest.param([Read, Write], "orders:read", "orders:read orders:write", id="the second of two"),
        pytest.param([Read, Write], "", "orders:read orders:write", id="both"),
        pytest.param([Write, Read, IsPaid], "orders:write", "orders:write orders:read", id="in the order of the view"),
        pytest.param([Read, Write | Refund, Refund], "", "orders:read orders:refund", id="one scope for two of them"),
        pytest.param([Read, IsPaid & Write], "", "orders:read", id="before one that no scope satisfies"),
        pytest.param([Read, Failing | Write], "", "orders:read orders:write", id="before one that cannot be asked"),
        pytest.param([Read | AllowAny, Write], "", "orders:write", id="after one that missed a scope and passed"),
        pytest.param([Read | IsPaid, IsPaid], "", "orders:read", id="the first of two"),
    ],
)
def test_the_scope_of_all_permissions_is_named(classes: list[Any], scope: str, missing: str) -> None:
    assert denied_scope(ask(protect(permission_classes=classes), token(scope))) == missing


@pytest.mark.parametrize(
    "permissions",
    [
        pytest.param([IsPaid], id="no scope asked"),
        pytest.param([Read, IsPaid], id="scope there"),
        pytest.param([IsPaid, Read], id="scope not reached"),
        pytest.param([Write | AllowAny, IsPaid], id="another alternative passed"),
        pytest.param([Write | IsOwner, IsPaid], id="an object permission may still pass"),
        pytest.param([Write | AllowAny, IsPaid & Write], id="the scope of the failing one was not asked"),
        pytest.param([Read & IsPaid], id="scope there, and something else missing"),
    ],
)
def test_a_refusal_that_is_not_about_scope_has_no_scope_challenge(permissions: list[Any]) -> None:
    assert_plain(ask(protect(permission_classes=permissions), token("orders:read")))


def test_the_message_of_another_permission_is_kept() -> None:
    response = ask(protect(permission_classes=[Write | AllowAny, IsPaid]), token())

    assert response.data["detail"] == "Pay first."


def orders(*permissions: Any, **attributes: Any) -> Any:
    """Return a view of one order, which belongs to `owner`."""

    def look(self: Any, request: Request) -> Response:
        self.check_object_permissions(request, SimpleNamespace(owner="anna"))
        self.ran.append(request)
        return Response()

    return protect(permission_classes=permissions, get=look, **attributes)


@pytest.mark.parametrize("composed", [Write | IsOwner, IsOwner | Write], ids=["scope first", "scope last"])
def test_scope_or_owner_of_the_object(composed: Any) -> None:
    anna, berta = (factories.UserFactory(username=name) for name in ("anna", "berta"))
    view = orders(composed)

    assert ask(view, token("orders:write", user=berta)).status_code == 200
    assert ask(view, token("orders:read", user=anna)).status_code == 200
    assert denied_scope(ask(view, token("orders:read", user=berta))) == "orders:write"


@pytest.mark.parametrize("composed", [Read & IsOwner, IsOwner & Read], ids=["scope first", "scope last"])
def test_scope_and_owner_of_the_object(composed: Any) -> None:
    anna, berta = (factories.UserFactory(username=name) for name in ("anna", "berta"))
    view = orders(composed)

    assert ask(view, token("orders:read", user=anna)).status_code == 200
    assert_plain(ask(view, token("orders:read", user=berta)))
    assert denied_scope(ask(view, token("orders:write", user=anna))) == "orders:read"


@pytest.mark.parametrize(
    ("permissions", "missing"),
    [
        pytest.param([Write | IsOwner, IsAuthenticated], "orders:write", id="scope or owner, then another"),
        pytest.param([IsAuthenticated, Write | IsOwner], "orders:write", id="another, then scope or owner"),
        pytest.param([IsAuthenticated, IsOwner | Write], "orders:write", id="another, then owner or scope"),
        pytest.param([Write | AllowAny, IsOwner], None, id="owner alone"),
        pytest.param([IsOwner, Write | AllowAny], None, id="owner alone, first"),
        pytest.param([Write | AllowAny, Read & IsOwner], None, id="scope and owner, scope there"),
    ],
)
def test_of_several_object_permissions_the_one_that_failed_decides(permissions: list[Any], missing: str | None) -> None:
    response = ask(orders(*permissions), token("orders:read", user=factories.UserFactory(username="berta")))

    if missing is None:
        assert_plain(response)
    else:
        assert denied_scope(response) == missing


def test_each_action_of_a_viewset_has_its_own_scope() -> None:
    class Orders(ViewSet):
        authentication_classes = protect().authentication_classes

        def get_permissions(self) -> list[Any]:
            return [Read() if self.action == "list" else Write()]

        def list(self, request: Request) -> Response:
            return Response()

        def create(self, request: Request) -> Response:
            return Response()

    view = type("AsView", (), {"as_view": staticmethod(lambda: Orders.as_view({"get": "list", "post": "create"}))})

    assert ask(view, token("orders:read")).status_code == 200
    assert denied_scope(ask(view, token("orders:read"), method="post")) == "orders:write"


class Archive(ViewSet):
    """Scopes by action and by method; `drop` is named by neither."""

    authentication_classes = protect().authentication_classes
    permission_classes = [HasScope]
    required_scopes = {
        "list": ["orders:list"],
        "GET": ["orders:read"],
        "create": ["orders:write"],
        "archive": ["orders:archive"],
    }

    def list(self, request: Request) -> Response:
        return Response()

    retrieve = create = archive = drop = list  # noqa: A003 - the method above


def archive(**actions: str) -> Any:
    return type("AsView", (), {"as_view": staticmethod(lambda: Archive.as_view(actions))})


@pytest.mark.parametrize(
    ("action", "method", "scope"),
    [
        ("list", "get", "orders:list"),
        ("list", "head", "orders:list"),
        ("retrieve", "get", "orders:read"),
        ("retrieve", "head", "orders:read"),
        ("archive", "get", "orders:archive"),
        ("create", "post", "orders:write"),
        ("archive", "post", "orders:archive"),
    ],
)
def test_the_scope_of_an_action_goes_before_that_of_its_method(action: str, method: str, scope: str) -> None:
    view = archive(**{"get" if method == "head" else method: action})

    assert ask(view, token(scope), method=method).status_code == 200
    assert denied_scope(ask(view, token("other"), method=method)) == scope


@pytest.mark.parametrize(("action", "method"), [("drop", "post"), ("drop", "delete"), ("list", "options")])
def test_an_action_that_neither_names_is_refused(action: str, method: str) -> None:
    view = archive(**{"get" if method == "options" else method: action})

    assert denied_scope(ask(view, token("orders:list orders:read orders:write"), method=method)) is None


def test_an_action_says_what_it_needs_where_it_is_declared() -> None:
    view = type(
        "AsView", (), {"as_view": staticmethod(lambda: Archive.as_view({"post": "drop"}, required_scopes=["x"]))}
    )

    assert ask(view, token("x"), method="post").status_code == 200
    assert denied_scope(ask(view, token("orders:write"), method="post")) == "x"


def test_a_project_that_overrides_permission_denied_keeps_its_say_on_other_refusals() -> None:
    def permission_denied(self: Any, request: Request, message: str | None = None, code: str | None = None) -> None:
        raise ZeroDivisionError

    own = {"permission_denied": permission_denied}

    with pytest.raises(ZeroDivisionError):
        ask(protect(permission_classes=[Write | AllowAny, IsPaid], **own), token())
    assert denied_scope(ask(protect(permission_classes=[Write], **own), token())) == "orders:write"


HOSTILE = ['"', "\\", "\r\nSet-Cookie: a=b", 'x", error="', "caf\u00e9 \u2603", "\x00\x7f", '"' * 1000]


@pytest.mark.requirement("6750-3-d", "6750-3-c")
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_break_out_of_the_challenge(text: str) -> None:
    """The strict reader of challenges is the assertion: it knows no escapes and no second line."""

    class Shouting(HasScope):
        scopes = (text,)
        message = text

    classes = [type("Ours", (protect().authentication_classes[0],), {"realm": f"r{text}"})]
    view = protect(permission_classes=[Shouting], authentication_classes=classes)

    for response in (ask(view, token()), ask(view), ask(view, "bad"), ask(view, headers={"Authorization": "Bearer"})):
        scheme, parameters = challenge_of(response)
        assert scheme == "Bearer"
        assert parameters.keys() <= {"realm", "error", "error_description", "scope", "resource_metadata"}
