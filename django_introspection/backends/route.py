"""The backends on the way of a token, asked one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..signals import token_validated
from .base import TokenBackend
from .diagnosis import result_problem
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
    given: Answer = _NOBODY_KNOWS
    source = asking = asked
    try:
        for backend in asked.route(token) if asked.is_router else (asked,):
            asking = backend
            given = backend.introspect(token)
            answer = judge(given, backend)
            if answer and backend.then_ask is not None:
                asking = token_backends[backend.then_ask]
                given = asking.introspect(token)
                answer, source = judge(given, asking), backend
                break
            if answer or answer.reason not in _NOT_ITS_OWN:
                source = backend
                break
    except IntrospectionUnavailable as failure:
        _report(asked, None, failure)
        raise
    except Exception as error:  # a mistake in a backend of the project; each answer that is right costs no look
        _name_backend(error, given, asking)
        raise
    if token_validated.receivers:  # a project without one pays for no call
        _report(source, answer)
    return Found(answer, source)


async def aask_route(asked: TokenBackend, token: str, judge: Judge) -> Found:
    """Ask like `ask_route`, without blocking the event loop."""
    answer: Answer = _NOBODY_KNOWS
    given: Answer = _NOBODY_KNOWS
    source = asking = asked
    try:
        for backend in await asked.aroute(token) if asked.is_router else (asked,):
            asking = backend
            given = await backend.aintrospect(token)
            answer = judge(given, backend)
            if answer and backend.then_ask is not None:
                asking = token_backends[backend.then_ask]
                given = await asking.aintrospect(token)
                answer, source = judge(given, asking), backend
                break
            if answer or answer.reason not in _NOT_ITS_OWN:
                source = backend
                break
    except IntrospectionUnavailable as failure:
        _report(asked, None, failure)
        raise
    except Exception as error:  # a mistake in a backend of the project; each answer that is right costs no look
        _name_backend(error, given, asking)
        raise
    if token_validated.receivers:  # a project without one pays for no call
        _report(source, answer)
    return Found(answer, source)


def _name_backend(error: Exception, given: object, backend: TokenBackend) -> None:
    """Add the alias of a backend to its error; raise TypeError if it returned something else than an answer."""
    if isinstance(error, AttributeError) and (problem := result_problem(given)):
        raise TypeError(f"The token backend {backend.alias!r} {problem}.") from None
    error.add_note(f"The token backend {backend.alias!r} raised it.")


def _report(backend: TokenBackend, answer: Answer | None, failure: IntrospectionUnavailable | None = None) -> None:
    token_validated.send_robust(type(backend), backend=backend.alias, answer=answer, failure=failure)
