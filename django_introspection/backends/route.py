"""The backends on the way of a token, asked one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..outbound.steps import Step, Steps
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.presented import Presented
from ..protocol.principal import principal_of
from .base import TokenBackend
from .registry import token_backends

_NOT_ITS_OWN = frozenset({Reason.MALFORMED, Reason.UNKNOWN, Reason.WRONG_ISSUER})
"""Reasons of a backend that does not know a token. If it knows the token and rejects it, no other backend is asked."""

_NOBODY_KNOWS = Inactive(Reason.UNKNOWN)

Judge = Callable[[Answer, TokenBackend], Answer]


def ask_route(asked: TokenBackend, token: Presented, judge: Judge) -> Steps[Answer]:
    """Ask the backends to which `asked` leads until one knows the token, and the backend that must confirm it.

    `judge` takes each answer with its backend, and returns the answer that counts. An active answer names its
    principal, and as its `source` the backend of the route: it vouches for the token also if another one confirms it.
    Raises IntrospectionUnavailable.
    """
    answer: Answer = _NOBODY_KNOWS
    for backend in (yield from Route(asked, token)):
        answer = judge((yield from Introspect(backend, token)), backend)
        if answer and backend.then_ask is not None:
            return _vouched(backend, token, (yield from _ask_then(backend.then_ask, token, judge)))
        if answer or answer.reason not in _NOT_ITS_OWN:
            return _vouched(backend, token, answer)
    return answer


def _vouched(backend: TokenBackend, token: Presented, answer: Answer) -> Answer:
    if not answer:
        return answer
    principal = principal_of(answer.info, token.value) if answer.user is None else None
    return Active(answer.info, answer.user, backend, principal)


def _ask_then(alias: str, token: Presented, judge: Judge) -> Steps[Answer]:
    backend = token_backends[alias]
    return judge((yield from Introspect(backend, token)), backend)


@dataclass(frozen=True, slots=True)
class Route(Step[Sequence[TokenBackend]]):
    """Find the backends of a token."""

    asked: TokenBackend
    token: Presented

    def run(self) -> Sequence[TokenBackend]:
        """Find them in this thread."""
        return self.asked.route(self.token.value)

    async def arun(self) -> Sequence[TokenBackend]:
        """Find them on the running event loop."""
        return await self.asked.aroute(self.token.value)


@dataclass(frozen=True, slots=True)
class Introspect(Step[Answer]):
    """Ask one backend."""

    backend: TokenBackend
    token: Presented

    def run(self) -> Answer:
        """Ask it in this thread."""
        return self.backend.introspect(self.token.value)

    async def arun(self) -> Answer:
        """Ask it on the running event loop."""
        return await self.backend.aintrospect(self.token.value)
