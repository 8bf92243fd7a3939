"""Calls to a cache as steps: a thread waits for the timeout of the cache, a task no longer than its patience."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from .. import cut_offs, revocations
from ..cache_calls import CacheCalls, CacheUnavailable
from ..database_caches import call_cache
from ..outbound.steps import Blocking, Step, Steps
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.token_info import TokenInfo
from ..shared_caches import shared_cache

NOT_FORGOTTEN = "the cache of answers did not forget what was purged"


class CacheCall(Step[Any]):
    """Call a cache; the outcome is None if it does not answer. A task goes on without it after `patience` seconds."""

    def __init__(self, call: Callable[[], Any], patience: float) -> None:
        self._call, self._patience = call, patience

    def run(self) -> Any:
        """Call it in this thread."""
        try:
            return self._call()
        except CacheUnavailable:
            return None

    async def arun(self) -> Any:
        """Call it in a thread, which ends by itself."""
        try:
            async with asyncio.timeout(self._patience):
                return await Blocking(self.run).arun()
        except TimeoutError:
            return None


class Forgetting(Step[None]):
    """Change a cache so that it forgets answers, even if the cache failed a moment ago.

    `method` is `set`, `set_many` or `delete_many`. Raise IntrospectionUnavailable if it fails, or if a task has waited
    for `patience` seconds.
    """

    def __init__(self, alias: str, patience: float, method: str, *arguments: Any) -> None:
        self._alias, self._patience = alias, patience
        self._method, self._arguments = method, arguments

    def run(self) -> None:
        """Call it in this thread."""
        try:
            refused = call_cache(
                shared_cache(self._alias), lambda cache: getattr(cache, self._method)(*self._arguments)
            )
        except Exception as error:  # noqa: BLE001 - each cache has errors of its own, which may show its password
            raise IntrospectionUnavailable(f"{NOT_FORGOTTEN}: {type(error).__name__}") from None
        if refused:  # `set_many` returns the keys that it did not store
            raise IntrospectionUnavailable(NOT_FORGOTTEN)

    async def arun(self) -> None:
        """Call it in a thread, which ends by itself."""
        try:
            async with asyncio.timeout(self._patience):
                await Blocking(self.run).arun()
        except TimeoutError:
            raise IntrospectionUnavailable(NOT_FORGOTTEN) from None


def delete(calls: CacheCalls, alias: str, keys: Iterable[str], patience: float) -> Steps[bool]:
    """Delete keys of a cache, and return whether it did so."""
    return bool((yield from CacheCall(partial(_delete, calls, alias, list(keys)), patience)))


def _delete(calls: CacheCalls, alias: str, keys: list[str]) -> bool:
    if keys:  # a server of Redis refuses a call without keys
        calls.make(alias, "delete_many", keys)
    return True


def look_for_tombstone(identity: bytes, patience: float) -> Steps[bool]:
    """Return whether a token is revoked; raise IntrospectionUnavailable if the cache does not answer."""
    return (yield from _look(partial(revocations.is_revoked, identity), patience))


def look_for_cut_off(issuer: str, info: TokenInfo, patience: float) -> Steps[bool]:
    """Return whether a token is cut off; raise IntrospectionUnavailable if the cache does not answer."""
    return (yield from _look(partial(cut_offs.is_cut_off, issuer, info), patience))


def look_for_end(identity: bytes, issuer: str | None, info: TokenInfo, patience: float) -> Steps[bool]:
    """Return whether a token is revoked, and with an issuer whether it is cut off, in one round trip.

    Raise IntrospectionUnavailable if the cache does not answer.
    """
    if issuer is None:
        return (yield from look_for_tombstone(identity, patience))
    return (yield from _look(partial(cut_offs.is_ended, identity, issuer, info), patience))


def _look(question: Callable[[], bool], patience: float) -> Steps[bool]:
    found = yield from CacheCall(question, patience)
    if found is None:
        raise IntrospectionUnavailable(revocations.UNAVAILABLE)
    return bool(found)
