"""Threads of several processes do everything at once, and a model says which answers were possible.

STRESS_CALLS, the calls of each thread, makes it longer, STRESS_SEED plays the same choices again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest

from django_introspection import revocations
from django_introspection.models import GrantType, Token, TokenKind
from django_introspection.models.fields import now
from django_introspection.protocol import opaque
from tests import factories
from tests.redis_server import RedisServer
from tests.settings import AUDIENCE

from .stress import Event, Holder, Known, Orders, everywhere

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="the program redis-server is not installed"),
]

PROCESSES, THREADS = 2, 4
CALLS = int(os.environ.get("STRESS_CALLS", "60"))
FATES = ["steady", "toggled", "toggled", "deleted", "deleted", "deleted", "rotated", "rotated"]
GRANTS = 12
FOREVER = float("inf")


class World:
    """The clients and tokens at the start."""

    def __init__(self) -> None:
        api = factories.ResourceServerFactory()
        self.holders = [Holder(str(api.client.pk), api.client.client_id, api.secret, -1, "api")]
        self.tokens: list[Known] = []
        for owner in range(PROCESSES):
            for fate in FATES:
                self._add(owner, fate)
        expired = factories.TokenFactory(refresh=True, user=factories.UserFactory()).token.grant_id
        Token.objects.filter(grant_id=expired).update(expires_at=now() - timedelta(days=1))

    def _add(self, owner: int, fate: str) -> None:
        made = factories.RegistrationFactory(
            grant_types=[GrantType.CLIENT_CREDENTIALS, GrantType.REFRESH_TOKEN], resources=[AUDIENCE]
        )
        holder = Holder(str(made.client.pk), made.client.client_id, made.secret, owner, fate)
        self.holders.append(holder)
        if fate == "rotated":
            return
        user = factories.UserFactory()
        for _ in range(GRANTS):
            issued = factories.TokenFactory(client=made.client, user=user, refresh=True)
            grant = str(issued.token.grant_id)
            self.tokens.append(Known(issued.access_token, "access", grant, holder.client_id))
            self.tokens.append(Known(issued.refresh_token, "refresh", grant, holder.client_id))


class Model:
    """When each token, grant, client and secret began to end, and had ended for sure."""

    def __init__(self, tokens: list[Known], events: list[Event]) -> None:
        self.events = sorted(events, key=lambda event: event.start)
        made = [Known(**each) for event in events for each in event.known]
        self.known = {token.value: token for token in [*tokens, *made]}
        self.begun: dict[str, float] = defaultdict(lambda: FOREVER)
        self.ended: dict[str, float] = defaultdict(lambda: FOREVER)
        self.off: dict[str, list[tuple[Event, Event | None]]] = defaultdict(list)
        self.used: dict[str, float] = defaultdict(lambda: FOREVER)
        for event in self.events:
            if event.what == "refresh" and event.status == 200:
                self.used[event.subject] = min(self.used[event.subject], event.end)
        for event in self.events:
            self._take(event)

    def _take(self, event: Event) -> None:
        token = self.known.get(event.subject)
        match event.what:
            case "revoke" if token:
                self._end(event, token.grant if token.kind == "refresh" else token.value)
            case "refresh" if token:
                self._end(event, token.value)  # any answer uses it up
                if event.status == 400:  # it came again, and its grant ends
                    self.begun[token.grant] = min(self.begun[token.grant], event.start)
                    if self.used[event.subject] < event.start:
                        self.ended[token.grant] = min(self.ended[token.grant], event.end)
            case "delete" | "delete failed" | "rotate":
                self._end(event, event.subject)
            case "disable":
                self.off[event.subject].append((event, None))
            case "enable":
                disabled, _ = self.off[event.subject].pop()
                self.off[event.subject].append((disabled, event))

    def _end(self, event: Event, subject: str) -> None:
        self.begun[subject] = min(self.begun[subject], event.start)
        if event.status == 200 or event.what in ("delete", "rotate"):
            self.ended[subject] = min(self.ended[subject], event.end)

    def problems(self) -> list[str]:
        """Return what must not have happened."""
        return [f"{problem}: {event}" for event in self.events if (problem := self._problem(event))]

    def _problem(self, event: Event) -> str | None:
        if event.what.endswith("failed"):
            return "an exception"
        token = self.known.get(event.subject)
        holder = token.holder if token else event.subject
        if event.status not in (0, 200, 400, 401) and not (event.status == 503 and self.begun[holder] < event.end):
            return "a status that no client should see"
        if event.what == "use" and event.status == 200 and self.ended[holder] < event.start:
            return "an old secret was right"
        if event.what == "introspect":
            assert token
            return self._wrong_answer(event, token)
        return None

    def _wrong_answer(self, event: Event, token: Known) -> str | None:
        names = (token.value, token.grant, token.holder)
        if event.status != 200:
            return "an introspection was refused"
        if event.result:
            if min(self.ended[name] for name in names) < event.start:
                return "an ended token was active"
            for disabled, enabled in self.off[token.holder]:
                if disabled.end < event.start and (enabled is None or event.end < enabled.start):
                    return "a token of a disabled client was active"
            return None
        may_be_dead = min(self.begun[name] for name in names) < event.end or token.kind == "refresh"
        is_off = any(
            disabled.start < event.end and (enabled is None or event.start < enabled.end)
            for disabled, enabled in self.off[token.holder]
        )
        return None if may_be_dead or is_off else "a live token was inactive"


def test_no_answer_contradicts_what_was_acknowledged_before(
    in_redis: RedisServer, settings: Any, database_url: str
) -> None:
    seed = int(os.environ.get("STRESS_SEED") or time.time_ns() % 10**6)
    print(f"STRESS_SEED={seed}")
    settings.TOKEN_INTROSPECTION = {
        **settings.TOKEN_INTROSPECTION,
        "REVOCATIONS": {},
        "THROTTLE": {"FAILURES": 10**6},
    }
    revocations.set_markers()
    world = World()
    values = {name: getattr(settings, name) for name in ("CACHES", "TOKEN_INTROSPECTION")}
    orders = [Orders(number, seed, CALLS, THREADS, values, world.holders, world.tokens) for number in range(PROCESSES)]
    model = Model(world.tokens, everywhere(orders, database_url))
    counts = Counter(event.what for event in model.events)
    print(counts, Counter(event.status for event in model.events))

    assert model.problems() == []
    assert {"introspect", "refresh", "revoke", "issue", "use"} <= counts.keys()
    assert_tombstones(model)


ACTIVE = Event("introspect", "a", 5, 6, 200, True)
INACTIVE = Event("introspect", "a", 5, 6, 200, False)
CONTRADICTIONS = {
    "active after a revocation": [Event("revoke", "a", 1, 4, 200), ACTIVE],
    "active after the revocation of its grant": [Event("revoke", "r", 1, 4, 200), ACTIVE],
    "active after the reuse of its refresh token": [
        *(Event("refresh", "r", 1, 2, 200), Event("refresh", "r", 3, 4, 400)),
        ACTIVE,
    ],
    "active after the deletion of its client": [Event("delete", "client", 1, 4), ACTIVE],
    "active while its client is disabled": [Event("disable", "client", 1, 4), Event("enable", "client", 7, 8), ACTIVE],
    "inactive for no reason": [INACTIVE],
    "inactive before its revocation": [Event("revoke", "a", 7, 8, 200), INACTIVE],
    "inactive after its client was enabled": [
        *(Event("disable", "client", 1, 2), Event("enable", "client", 3, 4)),
        INACTIVE,
    ],
    "an exception": [Event("revoke failed", "a", 1, 2)],
    "a server error": [Event("revoke", "a", 1, 2, 500)],
    "an outage": [Event("revoke", "a", 1, 2, 503)],
    "an old secret": [Event("rotate", "client", 1, 2), Event("use", "client", 3, 4, 200)],
}
POSSIBLE = {
    "active at the time of a revocation": [Event("revoke", "a", 1, 5.5, 200), ACTIVE],
    "active after a revocation that was refused": [
        Event("revoke", "a", 1, 4, 503),
        Event("delete", "client", 1, 9),
        ACTIVE,
    ],
    "inactive after a revocation that was refused": [
        *(Event("revoke", "a", 1, 4, 503), Event("delete", "client", 3, 9)),
        INACTIVE,
    ],
    "inactive at the time of a revocation": [Event("revoke", "a", 5.5, 7, 200), INACTIVE],
    "active before its client is disabled": [Event("disable", "client", 5.5, 8), ACTIVE],
}


@pytest.mark.parametrize("case", [*CONTRADICTIONS, *POSSIBLE])
def test_the_model_sees_a_contradiction_and_nothing_else(case: str) -> None:
    events = {**CONTRADICTIONS, **POSSIBLE}[case]
    tokens = [Known("a", "access", "grant", "client"), Known("r", "refresh", "grant", "client")]

    assert len(Model(tokens, events).problems()) == (case in CONTRADICTIONS)


def assert_tombstones(model: Model) -> None:
    """Assert that whatever ended has a tombstone, and that no grant has two live refresh tokens."""
    for token in model.known.values():
        if token.kind == "access" and min(model.ended[n] for n in (token.value, token.grant, token.holder)) < FOREVER:
            assert revocations.is_revoked(opaque.digest(token.value))
    live = Token.objects.filter(kind=TokenKind.REFRESH, revoked_at=None).values_list("grant_id", flat=True)
    assert max(Counter(live).values(), default=0) <= 1
