"""What ends tokens by a request: revocation, and the use of a refresh token once, twice at once, and again."""

from __future__ import annotations

import asyncio
from time import monotonic

from .calling import Answer
from .operations import Operations
from .oracle import Event, Grant, KnownToken
from .site import ORDERS

AGAIN = 1.0
"""Seconds after which a request is repeated that got no answer or a 503."""
PROBES = 3
TWICE, OLD = 0.06, 0.06
"""The share of refreshes with the same token twice at once, and with a used one."""


class Changes:
    """The operations that end tokens. Each one writes down when it began and when it was acknowledged."""

    def __init__(self, operations: Operations, over: asyncio.Event) -> None:
        self._operations, self._over = operations, over
        self._caller, self._population = operations.caller, operations.population
        self._record, self._random = operations.record, operations.random

    async def revoke(self) -> None:
        """Revoke a token or a whole grant; half of the times other requests show the token meanwhile."""
        token = self._population.revocable()
        if token is None:
            return
        grant = token.grant if token.grant and token.grant.refresh_token and self._random.random() < 0.4 else None
        if grant is not None:
            grant.is_busy = True
        done = asyncio.Event()
        has_probes = token.audience == ORDERS and self._random.random() < 0.5
        probes = [asyncio.create_task(self._probe(token, done)) for _ in range(PROBES if has_probes else 0)]
        if has_probes:
            await asyncio.sleep(self._random.random() * 0.05)
        if grant is not None and grant.refresh_token:
            await self._revoke(grant.end, grant.refresh_token, grant.client_id, until=grant.ends)
            grant.is_busy = False
        else:
            await self._revoke(token.end, token.value, token.client_id, until=token.expires[0])
        done.set()
        await asyncio.gather(*probes)

    async def _revoke(self, end: Event, value: str, client_id: str, *, until: float) -> None:
        """Revoke, and repeat it after a 503; an expired value is unknown to the server, and ends nothing."""
        end.begun = monotonic()
        while not self._over.is_set():
            answer = await self._caller.post("revoke", "oauth/revoke", client_id, token=value)
            if answer.status == 200 and answer.received < until:
                end.acknowledged = answer.received
                self._record.counts["revocations"] += 1
            if not answer.is_refused_for_now:
                return
            await asyncio.sleep(AGAIN)

    async def _probe(self, token: KnownToken, done: asyncio.Event) -> None:
        """Show a token until its revocation is acknowledged, and twice after that."""
        left = 2
        while left and not self._over.is_set():
            left -= done.is_set()
            if self._random.random() < 0.2:
                await self._operations.introspect(token)
            else:
                await self._operations.show(token, self._random.choice(self._operations.views_for(token)))

    async def refresh(self) -> None:
        """Use a refresh token: mostly as intended."""
        grant = self._population.refreshable()
        if grant is None or grant.refresh_token is None:
            return
        grant.is_busy = True
        kind = self._random.random()
        if kind < TWICE:
            await self._refresh_twice(grant, grant.refresh_token)
        elif kind < TWICE + OLD and grant.used:
            await self._end_by_reuse(grant, self._random.choice(grant.used))
        else:
            await self._refresh_once(grant, grant.refresh_token)
        grant.is_busy = False

    async def _refresh_once(self, grant: Grant, value: str) -> None:
        """Refresh; if no answer comes, the same token shows whether it was used: then the grant ends."""
        is_unknown = False
        while not self._over.is_set():
            answer = await self._post(grant, value)
            if answer.status == 200:
                grant.end.begun = None
                self._take(grant, answer)
                return
            if answer.status == 400:
                if not is_unknown and answer.received < grant.ends:
                    self._record.add_wrong("a valid refresh token was refused", operation="refresh")
                grant.end.begun = grant.end.begun or answer.sent
                self._acknowledge_reuse(grant, answer.received)
                return
            if not answer.is_refused_for_now:
                return
            is_unknown, grant.end.begun = True, grant.end.begun or answer.sent
            await asyncio.sleep(AGAIN)

    async def _refresh_twice(self, grant: Grant, value: str) -> None:
        grant.end.begun = monotonic()
        both = await asyncio.gather(self._post(grant, value), self._post(grant, value))
        for answer in [answer for answer in both if answer.status == 200]:
            self._take(grant, answer)
        if [answer.status for answer in both] == [200, 200]:
            self._record.add_wrong("a refresh token was used twice", operation="refresh")
        refusals = [answer.received for answer in both if answer.status == 400]
        if refusals:
            self._acknowledge_reuse(grant, max(refusals))
        else:
            await self._end_by_reuse(grant, value)

    async def _end_by_reuse(self, grant: Grant, value: str) -> None:
        """Use a used refresh token again: it is refused, and its grant has ended (RFC 9700 §4.14.2)."""
        grant.end.begun = grant.end.begun or monotonic()
        while not self._over.is_set():
            answer = await self._post(grant, value)
            if answer.status == 400:
                self._acknowledge_reuse(grant, answer.received)
                return
            if answer.status == 200 and value in grant.used:
                self._record.add_wrong("a used refresh token was accepted", operation="refresh")
                return
            if answer.status == 200:
                self._take(grant, answer)
            await asyncio.sleep(AGAIN)

    def _acknowledge_reuse(self, grant: Grant, received: float) -> None:
        if received < grant.ends:
            grant.end.acknowledged = received
            self._record.counts["grants ended by reuse"] += 1

    async def _post(self, grant: Grant, value: str) -> Answer:
        return await self._caller.post(
            "refresh", "oauth/token", grant.client_id, 400, grant_type="refresh_token", refresh_token=value
        )

    def _take(self, grant: Grant, answer: Answer) -> None:
        first = grant.tokens[0]
        token = self._population.add(answer, grant.client_id, " ".join(first.scopes), first.audience, grant)
        token.subject = first.subject
        if grant.refresh_token:
            grant.used.append(grant.refresh_token)
        grant.refresh_token = answer.members["refresh_token"]
        self._record.counts["refreshes"] += 1
