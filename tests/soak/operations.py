"""What clients and resource servers do: get tokens, show them, ask about them. Each answer is compared."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from time import monotonic
from typing import Any

from .calling import Answer, Caller
from .oracle import Expected, KnownToken, Oracle, wrong_activity, wrong_members, wrong_status
from .population import MARGIN, Population, known_token
from .record import Record
from .site import (
    GATEWAY,
    INVOICES,
    INVOICES_READ,
    MACHINES,
    ORDERS,
    ORDERS_API,
    READ,
    SWEPT,
    SWITCHED,
    USERS,
    VIEWS,
    WRITE,
    Server,
    Source,
)

GRANTED = ((READ, ORDERS), (f"{READ} {WRITE}", ORDERS), (f"{READ} {WRITE}", ORDERS), (INVOICES_READ, INVOICES))
SHORT_LIVES = (5, 10, 20)


class Operations:
    """The operations that read, and those that issue."""

    def __init__(self, caller: Caller, oracle: Oracle, population: Population, record: Record, random: Random) -> None:
        self.caller, self.oracle, self.population, self.record = caller, oracle, population, record
        self.random = random
        self._gateway: KnownToken | None = None

    async def issue_to_machine(self) -> None:
        """Get a token with the client's own credentials."""
        client_id = self.random.choice((*MACHINES, *MACHINES, *SWITCHED, *SWEPT))
        scope, audience = self.random.choice(GRANTED)
        statuses = (401, 429) if client_id in SWITCHED else ()
        answer = await self.caller.post(
            "token", "oauth/token", client_id, *statuses, grant_type="client_credentials", scope=scope
        )
        if answer.status == 200:
            self.population.add(answer, client_id, scope, audience)
            if set(answer.members.get("scope", "").split()) != set(scope.split()):
                self.record.add_wrong("another scope than requested", operation="token")
        # Twenty refusals in a minute make it 429 until the minute is over, also for a client that was enabled.
        if answer.status == 401 and not self.oracle.may_be_refused(client_id, answer.sent, answer.received):
            self.record.add_wrong("an enabled client was refused", operation="token", client=client_id)

    async def log_in(self) -> None:
        """Let a user grant tokens: some with a refresh token, the others with a short life."""
        client_id, scope = self.random.choice(MACHINES), self.random.choice((READ, f"{READ} {WRITE}"))
        form = {"client_id": client_id, "scope": scope, "resource": ORDERS}
        form["username"] = f"user-{self.random.randrange(USERS)}"
        if self.random.random() < 0.7:
            form["refresh"] = "yes"
        else:
            form["lifetime"] = str(self.random.choice(SHORT_LIVES))
        answer = await self.caller.call("login", Server.AUTHORIZATION, "login", {}, form=form)
        if answer.status == 200:
            grant = self.population.add_grant(client_id, answer) if "refresh" in form else None
            self.population.add(answer, client_id, scope, ORDERS, grant)

    async def introspect_with_secret(self) -> None:
        """Ask the endpoint as the orders API, which may see tokens for itself alone."""
        if token := self.population.any():
            await self.introspect(token)

    async def introspect(self, token: KnownToken) -> None:
        answer = await self.caller.post("introspect", "oauth/introspect", ORDERS_API, token=token.value)
        self._compare_introspection("introspect", token, answer, is_visible=token.audience == ORDERS)

    async def introspect_with_token(self) -> None:
        """Ask the endpoint as the gateway, with a bearer token; it may see every token."""
        token, own = self.population.any(), await self._token_of_gateway()
        if token and own:
            headers, form = {"Authorization": f"Bearer {own.value}"}, {"token": token.value}
            answer = await self.caller.call(
                "introspect by bearer", Server.AUTHORIZATION, "oauth/introspect", headers, form=form
            )
            self._compare_introspection("introspect by bearer", token, answer, is_visible=True)

    async def _token_of_gateway(self) -> KnownToken | None:
        if self._gateway is None or self._gateway.expires[0] < monotonic() + MARGIN:
            answer = await self.caller.post(
                "token", "oauth/token", GATEWAY, grant_type="client_credentials", scope="introspection"
            )
            if answer.status != 200:
                return None
            self._gateway = known_token(answer, GATEWAY, "introspection", "")
        return self._gateway

    def _compare_introspection(self, operation: str, token: KnownToken, answer: Answer, *, is_visible: bool) -> None:
        if answer.status != 200:
            return
        expected = self._expected(token, Source.ASKED, answer) if is_visible else Expected.INACTIVE
        is_active = answer.members.get("active") is True
        problems = wrong_activity(expected, is_active=is_active)
        if is_active:
            problems += wrong_members(token, answer.members)
        elif answer.members != {"active": False}:
            problems.append("an inactive answer with further members")
        self._report(operation, token, answer, problems)

    async def visit(self) -> None:
        """Show a token to one of the views."""
        if token := self.population.any():
            await self.show(token, self.random.choice(self.views_for(token)))

    async def show(self, token: KnownToken, name: str) -> None:
        view = VIEWS[name]
        headers = {"Authorization": f"Bearer {token.value}"}
        answer = await self.caller.call(name, view.server, name, headers, 401, 403)
        if answer.is_refused_for_now:
            return
        is_for_view = token.audience == ORDERS and (token.is_jwt or view.source is not Source.SIGNED)
        expected = self._expected(token, view.source, answer) if is_for_view else Expected.INACTIVE
        is_active = answer.status in (200, 403)
        problems = wrong_activity(expected, is_active=is_active)
        if is_active:
            problems += wrong_status(token, view.scope, answer.status)
        if answer.status == 200:
            problems += wrong_members(token, answer.members)
        self._report(name, token, answer, problems)

    def views_for(self, token: KnownToken) -> Sequence[str]:
        """Return the views to show a token to: an opaque one seldom meets those that verify signatures."""
        if token.is_jwt or self.random.random() < 0.05:
            return list(VIEWS)
        return [name for name, view in VIEWS.items() if view.source is not Source.SIGNED]

    async def forge(self) -> None:
        """Show a token with another character, which must never be active."""
        if token := self.population.any():
            place = len(token.value) - 10
            other = "a" if token.value[place] != "a" else "b"
            value = f"{token.value[:place]}{other}{token.value[place + 1 :]}"
            name = self.random.choice(list(VIEWS))
            headers = {"Authorization": f"Bearer {value}"}
            answer = await self.caller.call("forged token", VIEWS[name].server, name, headers, 401)
            if answer.status == 200:
                self.record.add_wrong("a forged token was accepted", operation=name)

    def _expected(self, token: KnownToken, source: Source, answer: Answer) -> Expected:
        return self.oracle.expected(token, source, answer.sent, answer.received)

    def _report(self, operation: str, token: KnownToken, answer: Answer, problems: Sequence[str]) -> None:
        for problem in problems:
            self.record.add_wrong(problem, operation=operation, status=answer.status, **_story(token, answer))


def _story(token: KnownToken, answer: Answer) -> dict[str, Any]:
    """Return what helps to understand a wrong answer; seconds count from the sending of the request."""

    def since(moment: float | None) -> float | None:
        return None if moment is None else round(moment - answer.sent, 3)

    return {
        "client": token.client_id,
        "token_id": token.token_id,
        "in_grant": token.grant is not None,
        "received": since(answer.received),
        "expires": [since(moment) for moment in token.expires],
        "events": [(since(event.begun), since(event.acknowledged)) for event in token.events],
    }
