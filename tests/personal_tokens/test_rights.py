"""The scope of a personal token, which is never more than its owner may do now."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated

from django_introspection import introspect, token_backends
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.backends.database import narrowed_clients
from django_introspection.permissions import requires_scope
from django_introspection.personal_tokens.client import CLIENT_ID
from django_introspection.personal_tokens.last_use import last_uses
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.personal_tokens.rights import allowed_scopes
from django_introspection.protocol.errors import IntrospectionUnavailable
from tests import endpoints, factories
from tests.personal_tokens.conftest import configure, make
from tests.resource_server.protected import ask, protect
from tests.settings import ISSUER

pytestmark = pytest.mark.django_db


def of_department(user: Any) -> list[str]:
    return ["orders:read", "orders:write"] if user.last_name == "Sales" else ["orders:read"]


def broken(user: Any) -> Any:
    raise LookupError("directory of alice does not answer")


def wrong(user: Any) -> Any:
    return [7]


def lose(user: Any) -> None:
    user.user_permissions.clear()


@pytest.fixture
def token(permitted: Any) -> str:
    return make(permitted, scope=["orders:read", "orders:write"]).value


def scopes(token: str) -> Any:
    info = introspect(token)
    return None if info is None else sorted(info.scopes)


def test_a_scope_token_without_permission_asks_nothing_of_the_user_model() -> None:
    class Plain:
        """A user of a model without PermissionsMixin."""

    assert allowed_scopes(Plain(), ["orders:read"]) == {"orders:read"}
    with pytest.raises(IntrospectionUnavailable):
        allowed_scopes(Plain(), ["orders:read", "orders:write"])


def test_a_lost_permission_is_a_lost_scope_at_once_and_comes_back(
    token: str, permitted: Any, resource_server: Any
) -> None:
    asked = endpoints.introspect(token, auth=resource_server).json
    view = protect(required_scopes=["orders:write"])
    assert scopes(token) == ["orders:read", "orders:write"]
    assert asked()["scope"] == "orders:read orders:write"

    lose(permitted)
    assert scopes(token) == ["orders:read"]
    assert endpoints.introspect(token, auth=resource_server).json()["scope"] == "orders:read"
    assert ask(view, token).status_code == 200

    permitted.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert scopes(token) == ["orders:read", "orders:write"]


@pytest.mark.parametrize("way", ["left the group", "group lost it", "no superuser any more", "scope was removed"])
def test_whatever_takes_the_permission_takes_the_scope(user: Any, settings: Any, way: str) -> None:
    group = Group.objects.create(name="sales")
    permission = Permission.objects.get(codename="change_user")
    if "superuser" in way:
        user.is_superuser = True
        user.save()
    else:
        group.permissions.add(permission)
        user.groups.add(group)
    token = make(type(user).objects.get(), scope=["orders:write"]).value
    assert scopes(token) == ["orders:write"]

    match way:
        case "left the group":
            user.groups.clear()
        case "group lost it":
            group.permissions.clear()
        case "no superuser any more":
            type(user).objects.update(is_superuser=False)
        case "scope was removed":
            configure(settings, SCOPES={"orders:read": None})

    assert scopes(token) == []


def test_an_owner_needs_each_of_several_permissions(user: Any, settings: Any) -> None:
    configure(settings, SCOPES={"orders:write": ["auth.change_user", "auth.delete_user"]})
    user.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "delete_user"]))
    token = make(type(user).objects.get(), scope=["orders:write"]).value
    assert scopes(token) == ["orders:write"]

    user.user_permissions.set(Permission.objects.filter(codename="change_user"))

    assert scopes(token) == []


def test_a_token_whose_rights_cannot_be_asked_was_not_used(token: str, settings: Any) -> None:
    configure(settings, SCOPES=f"{__name__}.broken")

    with pytest.raises(IntrospectionUnavailable):
        introspect(token)
    last_uses.write()

    assert PersonalToken.objects.get().last_used_at is None


def test_the_endpoint_asks_no_more_where_another_backend_answers(
    token: str, permitted: Any, resource_server: Any, settings: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "INTROSPECTION_BACKEND": "default"}
    lose(permitted)

    assert endpoints.introspect(token, auth=resource_server).json()["scope"] == "orders:read"


def test_a_function_of_the_project_says_what_a_person_may_give(user: Any, settings: Any) -> None:
    configure(settings, SCOPES=f"{__name__}.of_department")
    user.last_name = "Sales"
    user.save()
    token = make(user, scope=["orders:read", "orders:write"]).value
    assert scopes(token) == ["orders:read", "orders:write"]

    type(user).objects.update(last_name="Purchase")

    assert scopes(token) == ["orders:read"]
    assert allowed_scopes(user) == {"orders:read", "orders:write"}


@pytest.mark.parametrize("function", ["broken", "wrong"])
def test_a_token_whose_rights_are_unknown_is_no_token_with_fewer_rights(
    token: str, settings: Any, resource_server: Any, caplog: Any, function: str
) -> None:
    configure(settings, SCOPES=f"{__name__}.{function}")

    with pytest.raises(IntrospectionUnavailable):
        introspect(token)
    assert ask(protect(), token).status_code == 503
    assert endpoints.introspect(token, auth=resource_server).status_code == 503
    assert "TOKEN_INTROSPECTION['PERSONAL_TOKENS']['SCOPES']" in caplog.text
    assert "alice" not in caplog.text


class ByOldCredential(BasePermission):
    """As the page about moving shows it."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return isinstance(request.successful_authenticator, BasicAuthentication)


def test_a_view_that_moves_takes_no_personal_token_without_its_scope(user: Any) -> None:
    user.set_password("correct-horse")
    user.save()
    moving = protect(
        authentication_classes=[IntrospectionAuthentication, BasicAuthentication],
        permission_classes=[requires_scope("orders:read") | (ByOldCredential & IsAuthenticated)],
    )

    assert ask(moving, make(user, scope=[]).value).status_code == 403
    assert ask(moving, make(user).value).status_code == 200
    basic = endpoints.basic(user.get_username(), "correct-horse")
    assert ask(moving, headers={"Authorization": basic}).status_code == 200


APP_MISSING = """
import sys, django
django.setup()
from django_introspection import introspect
from django_introspection.protocol.errors import IntrospectionUnavailable
try:
    print(introspect(sys.stdin.read()))
except IntrospectionUnavailable as refusal:
    print("unavailable:", refusal)
"""


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_process_without_the_app_takes_no_personal_token(user: Any, database_url: str) -> None:
    """It would not know what the owner may do now."""
    settings = "from tests.settings import *\nINSTALLED_APPS.remove('django_introspection.personal_tokens')"
    program = f"import types, sys\nmodule = types.ModuleType('without_app')\nexec({settings!r}, vars(module))\n"
    program += "sys.modules['without_app'] = module\n" + APP_MISSING
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "without_app"}
    token = make(user).value

    ran = subprocess.run(
        [sys.executable, "-c", program], input=token, env=environment, capture_output=True, text=True, check=False
    )

    assert ran.stdout.strip() == "unavailable: personal tokens need the app django_introspection.personal_tokens"


def test_other_tokens_cost_no_statement_more(token: str, permitted: Any, django_assert_num_queries: Any) -> None:
    other = factories.TokenFactory(user=permitted).access_token
    introspect(other)
    with django_assert_num_queries(1):
        introspect(other)
    with django_assert_num_queries(3):  # the token, the permissions of the user, those of the groups
        introspect(token)


def test_a_scope_without_a_permission_costs_no_statement_more(user: Any, django_assert_num_queries: Any) -> None:
    token = make(user).value
    with django_assert_num_queries(1):
        introspect(token)


def test_a_token_of_the_client_without_a_user_has_no_scope(user: Any) -> None:
    client = make(user).row.token.client
    token = factories.TokenFactory(client=client, scope="orders:write").access_token

    assert scopes(token) == []


def test_it_never_authenticates_a_caller_of_the_endpoint(user: Any, settings: Any) -> None:
    configure(settings, SCOPES={"introspection": None}, AUDIENCE=[ISSUER])
    token = make(user, scope=["introspection"]).value

    assert endpoints.introspect("x", auth=f"Bearer {token}").status_code == 401


def test_the_limits_are_those_of_its_client_alone() -> None:
    assert list(narrowed_clients) == [CLIENT_ID]
    assert token_backends["default"]
