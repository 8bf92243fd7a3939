"""Backends of projects that override the methods of another backend: each rule counts in sync and in async views."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.test import override_settings

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import DatabaseBackend, JWTBackend, RemoteBackend, RoutingBackend, TokenBackend
from django_introspection.backends.registry import OWN_BACKENDS
from django_introspection.check_messages import TAG
from django_introspection.exceptions import InvalidBackend
from django_introspection.protocol.answer import Active, Answer, Inactive, Reason
from django_introspection.protocol.token_info import TokenInfo
from tests.misbehaving.server import remote_settings

TOKEN = "a-token"
CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])


class SyncRule(RemoteBackend):
    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class AsyncRule(RemoteBackend):
    async def aintrospect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class BothRules(SyncRule, AsyncRule):
    """Two classes that each override one method: together they are refused as well, since their rules may differ."""


class Whole(RemoteBackend):
    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)

    async def aintrospect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class Mixin:
    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class MixedIn(Mixin, JWTBackend):
    pass


class SyncPurge(RemoteBackend):
    def purge(self, token: str | None = None) -> None:
        pass


class SyncRoute(RoutingBackend):
    def route(self, token: str) -> Any:
        return ()


class RuleOfRouter(RoutingBackend):
    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)

    async def aintrospect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class OwnBackend(TokenBackend):
    """A backend without an async method: async views call the other one in a thread."""

    def introspect(self, token: str) -> Answer:
        return Active(TokenInfo({"sub": "1", "token_type": "Bearer", "aud": list(self.audience)}))


class RuleOfDatabase(DatabaseBackend):
    def introspect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


class AsyncRuleOfOwn(OwnBackend):
    async def aintrospect(self, token: str) -> Answer:
        return Inactive(Reason.UNKNOWN)


REFUSED = {
    SyncRule: "overrides introspect() without aintrospect(), so async views would not use it; override both",
    AsyncRule: "overrides aintrospect() without introspect(), so sync views would not use it; override both",
    BothRules: "overrides introspect() without aintrospect(), so async views would not use it; override both",
    MixedIn: "overrides introspect() without aintrospect(), so async views would not use it; override both",
    AsyncRuleOfOwn: "overrides aintrospect() without introspect(), so sync views would not use it; override both",
    SyncPurge: "overrides purge() without apurge(), so async views would not use it; override both",
    SyncRoute: "overrides route() without aroute(), so async views would not use it; override both",
    RuleOfRouter: ("overrides introspect() of a routing backend, which no view calls; override route() and aroute()"),
}


def project(kind: type[TokenBackend], **options: Any) -> dict[str, Any]:
    return {"BACKENDS": {"default": {"BACKEND": f"{__name__}.{kind.__name__}", "OPTIONS": options}}}


def remote(kind: type[TokenBackend]) -> dict[str, Any]:
    (entry,) = remote_settings("https://auth.example.com/introspect")["BACKENDS"].values()
    return project(kind, **entry["OPTIONS"])


@pytest.mark.parametrize(("kind", "problem"), REFUSED.items())
def test_a_rule_that_some_views_would_not_use_makes_no_backend(kind: Any, problem: str) -> None:
    message = f"TOKEN_INTROSPECTION['BACKENDS']['default']['BACKEND'] {problem}."

    with override_settings(TOKEN_INTROSPECTION=project(kind)):
        with pytest.raises(InvalidBackend) as raised:
            token_backends["default"]
        found = [(each.id, each.msg) for each in checks.run_checks(tags=[TAG])]

    assert str(raised.value) == message
    assert (f"{TAG}.E003", message) in found


@CALLS
def test_no_view_is_open_because_of_such_a_rule(call: Any) -> None:
    with override_settings(TOKEN_INTROSPECTION=remote(SyncRule)), pytest.raises(InvalidBackend):
        call(TOKEN)


@CALLS
@pytest.mark.parametrize("settings_of", [remote(Whole), project(RuleOfDatabase)], ids=["both", "of a sync backend"])
def test_a_rule_counts_in_every_view(call: Any, settings_of: Any) -> None:
    with override_settings(TOKEN_INTROSPECTION=settings_of):
        assert call(TOKEN) is None


@CALLS
def test_a_sync_backend_of_a_project_answers_async_views(call: Any) -> None:
    with override_settings(TOKEN_INTROSPECTION=project(OwnBackend, audience="https://api.example.com")):
        assert call(TOKEN).sub == "1"


@pytest.mark.parametrize("path", OWN_BACKENDS)
def test_the_backends_of_this_package_are_whole(path: str) -> None:
    with override_settings(TOKEN_INTROSPECTION={"BACKENDS": {"default": {"BACKEND": path}}}):
        assert issubclass(token_backends.kind("default"), TokenBackend)
