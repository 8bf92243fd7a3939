"""One HTTP request and its answer, recorded and compared with the statuses that are documented."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp

from tests.endpoints import basic

from .record import Record
from .servers import Servers
from .site import SECRET, Server

PATIENCE = aiohttp.ClientTimeout(total=120)
KEEP_ALIVE = 15
"""Seconds for which an idle connection is kept: less than the servers do, or they could close it under a request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its moments; without one the status is 0."""

    status: int
    members: dict[str, Any]
    headers: Mapping[str, str]
    sent: float
    received: float

    @property
    def is_refused_for_now(self) -> bool:
        """Whether there was no answer, or a 503: the request may have had its effect or not."""
        return self.status in (0, 503)


class Caller:
    """Send requests to the servers of a run, and record how they were answered."""

    def __init__(self, servers: Servers, record: Record) -> None:
        self._servers, self._record = servers, record

    async def __aenter__(self) -> Caller:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE)
        self._session = aiohttp.ClientSession(connector=connector, timeout=PATIENCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, operation: str, path: str, client_id: str, *statuses: int, **form: str) -> Answer:
        """Call an endpoint of the authorization server as a client; 200 and these statuses are documented for it."""
        headers = {"Authorization": basic(client_id, SECRET)}
        return await self.call(operation, Server.AUTHORIZATION, path, headers, *statuses, form=form)

    async def call(
        self,
        operation: str,
        server: Server,
        path: str,
        headers: Mapping[str, str],
        *statuses: int,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; a status that is neither 200 nor one of these is wrong, but for a 503 with Retry-After."""
        method, url = "GET" if form is None else "POST", f"{self._servers.url(server)}/{path}"
        phase, sent = self._record.phase, monotonic()
        try:
            async with self._session.request(method, url, data=form, headers=headers) as response:
                body = await response.read()
                answer = Answer(response.status, _members(body), response.headers, sent, monotonic())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            answer = Answer(0, {"error": type(error).__name__}, {}, sent, monotonic())
        phase.outcomes[operation, str(answer.status or "no answer")] += 1
        phase.seconds[operation].append(answer.received - sent)
        if answer.is_refused_for_now:
            phase.last_refusal = answer.received
        for problem in self._problems(answer, statuses, may_be_cut_off=phase.has_faults):
            self._record.add_wrong(problem, operation=operation, error=answer.members.get("error"))
        return answer

    @staticmethod
    def _problems(answer: Answer, statuses: tuple[int, ...], *, may_be_cut_off: bool) -> list[str]:
        problems = []
        if answer.status == 0 and not may_be_cut_off:
            problems.append("no answer")
        if answer.status == 503 and not answer.headers.get("Retry-After", "").isdigit():
            problems.append("503 without Retry-After")
        if answer.status not in (0, 200, 503, *statuses):
            problems.append(f"status {answer.status}")
        if answer.status == 401 and "WWW-Authenticate" not in answer.headers:
            problems.append("401 without a challenge")
        return problems


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
