"""What an operator does from the command line: end tokens, disable and enable a client, purge."""

from __future__ import annotations

import asyncio
import sys
from itertools import cycle
from time import monotonic

from .operations import Operations
from .oracle import Disabling, Event
from .servers import ROOT, Servers
from .site import SWEPT, SWITCHED

UNAVAILABLE = 3
"""The exit status of a command that may be repeated later."""


class Operator:
    """Run one command after the other until the run is over."""

    def __init__(self, operations: Operations, servers: Servers, over: asyncio.Event, pause: float) -> None:
        self._operations, self._servers, self._over, self._pause = operations, servers, over, pause
        self._record, self._population = operations.record, operations.population
        self._random = operations.random

    async def work(self) -> None:
        """Do each thing in turn, with a pause."""
        things = (self._disable, self._revoke_one, self._purge, self._enable, self._sweep, self._purge)
        self._client_id = SWITCHED[0]
        for thing in cycle(things):
            await asyncio.sleep(self._pause)
            if self._over.is_set():
                return
            await thing()

    async def _revoke_one(self) -> None:
        chosen = [token for token in (self._population.revocable() for _ in range(20)) if token and token.token_id]
        if chosen:
            token = chosen[0]
            token.end.begun = monotonic()
            token.end.acknowledged = await self._command("introspection_token", "revoke", "--token-id", token.token_id)

    async def _sweep(self) -> None:
        """Revoke all tokens of a client, while it gets new ones."""
        client_id = self._random.choice(SWEPT)
        self._population.swept[client_id] = True
        swept = [token for token in self._population.live if token.client_id == client_id and token.is_untouched]
        begun = monotonic()
        for token in swept:
            token.end.begun = begun
        acknowledged = await self._command("introspection_token", "revoke", "--client", client_id)
        for token in swept:
            token.end.acknowledged = acknowledged
        await asyncio.sleep(1)  # for tokens whose answer is under way
        self._population.swept[client_id] = False

    async def _disable(self) -> None:
        self._client_id = self._random.choice(SWITCHED)
        disabling = Disabling(Event(begun=monotonic()))
        self._operations.oracle.disablings.setdefault(self._client_id, []).append(disabling)
        disabling.disabled.acknowledged = await self._command("introspection_client", "disable", self._client_id)

    async def _enable(self) -> None:
        disabling = self._operations.oracle.disablings[self._client_id][-1]
        disabling.enabled.begun = monotonic()
        disabling.enabled.acknowledged = await self._command("introspection_client", "enable", self._client_id)

    async def _purge(self) -> None:
        await self._command("introspection_purge")

    async def _command(self, *arguments: str) -> float | None:
        """Run a command until it succeeds, and return when it did; None if the run is over before."""
        while not self._over.is_set():
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "django", *arguments, "--json"),
                env=self._servers.environment,
                cwd=ROOT,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, errors = await process.communicate()
            if process.returncode == 0:
                self._record.counts[f"command {arguments[0]}"] += 1
                return monotonic()
            if process.returncode != UNAVAILABLE:
                last = errors.decode().strip().splitlines()[-1:]
                self._record.add_wrong(f"exit status {process.returncode}", operation=arguments[0], error=last)
                return None
            self._record.counts["commands that were repeated"] += 1
            await asyncio.sleep(1)
        return None
