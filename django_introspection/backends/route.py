"""The backends on the way of a token, asked one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..signals import token_validated
from .base import TokenBackend
from .registry import token_backends

_NOT_ITS_OWN = frozenset({Reason.MALFORMED, Reason.UNKNOWN, Reason.WRONG_ISSUER})
"""Reasons of a backend that does not know a token. If it knows the token and rejects it, no other backend is asked."""

_NOBODY_KNOWS = Inactive(Reason.UNKNOWN)

Judge = Callable[[Answer, TokenBackend], Answer]


class Found(NamedTuple):
    """The answer about a token, and the backend that vouches for it, also if another one has confirmed it."""

    answer: Answer
    source: TokenBackend


def ask_route(asked: TokenBackend, token: str, judge: Judge) -> Found:
    """Ask the backends to which `asked` leads until one knows the token, and the backend that must confirm it.

    `judge` takes each answer with its backend, and returns the answer that counts. Raises IntrospectionUnavailable.
    Every request of a view comes this way, so this and its async twin are no steps.
    """
    answer: Answer = _NOBODY_KNOWS
    source = asked
    try:
        for backend in asked.route(token) if asked.is_router else (asked,):
            answer = judge(backend.introspect(token), backend)
            if answer and backend.then_ask is not None:
                confirming = token_backends[backend.then_ask]
                answer, source = judge(confirming.introspect(token), confirming), backend
                break
            if answer or answer.reason not in _NOT_ITS_OWN:
                source = backend
                break
    except IntrospectionUnavailable as failure:
        _report(asked, None, failure)
        raise
    if token_validated.receivers:  # a project without one pays for no call
        _report(source, answer)
    return Found(answer, source)


async def aask_route(asked: TokenBackend, token: str, judge: Judge) -> Found:
    """Ask like `ask_route`, without blocking the event loop."""
    answer: Answer = _NOBODY_KNOWS
    source = asked
    try:
        for backend in await asked.aroute(token) if asked.is_router else (asked,):
            answer = judge(await backend.aintrospect(token), backend)
            if answer and backend.then_ask is not None:
                confirming = token_backends[backend.then_ask]
                answer, source = judge(await confirming.aintrospect(token), confirming), backend
                break
            if answer or answer.reason not in _NOT_ITS_OWN:
                source = backend
                break
    except IntrospectionUnavailable as failure:
        _report(asked, None, failure)
        raise
    if token_validated.receivers:  # a project without one pays for no call
        _report(source, answer)
    return Found(answer, source)


def _report(backend: TokenBackend, answer: Answer | None, failure: IntrospectionUnavailable | None = None) -> None:
    token_validated.send_robust(type(backend), backend=backend.alias, answer=answer, failure=failure)
