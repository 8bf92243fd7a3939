"""The backends on the way of a token, asked one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.views.decorators.debug import sensitive_variables

from ..outbound.steps import Step, Steps
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.presented import Presented
from .base import TokenBackend
from .registry import token_backends

_NOT_ITS_OWN = frozenset({Reason.MALFORMED, Reason.UNKNOWN, Reason.WRONG_ISSUER})
"""What a backend says of a token that another one may know. One that it knows and refuses is nobody else's to judge."""

Judge = Callable[[Answer, TokenBackend], Answer]


def ask_route(route: Sequence[TokenBackend], token: Presented, judge: Judge) -> Steps[Answer]:
    """Ask the backends of a route until one knows the token, and who must agree; raises IntrospectionUnavailable.

    `judge` is told each answer with its backend, and returns the one that counts.
    """
    answer: Answer = Inactive(Reason.UNKNOWN)
    for backend in route:
        answer = judge((yield from Introspect(backend, token)), backend)
        if answer:
            return answer if backend.then_ask is None else (yield from _ask_then(backend.then_ask, token, judge))
        if answer.reason not in _NOT_ITS_OWN:
            break
    return answer


def _ask_then(alias: str, token: Presented, judge: Judge) -> Steps[Answer]:
    backend = token_backends[alias]
    return judge((yield from Introspect(backend, token)), backend)


@dataclass(frozen=True, slots=True)
class Introspect(Step[Answer]):
    """Ask one backend."""

    backend: TokenBackend
    token: Presented

    @sensitive_variables()
    def run(self) -> Answer:
        """Ask it in this thread."""
        return self.backend.introspect(self.token.value)

    @sensitive_variables()
    async def arun(self) -> Answer:
        """Ask it on the running event loop."""
        return await self.backend.aintrospect(self.token.value)
