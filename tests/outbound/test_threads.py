"""Blocking calls of async code: in threads of our own, whose connections to databases are looked after."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from asgiref.sync import async_to_sync

from django_introspection.outbound import threads
from django_introspection.outbound.threads import call_in_thread


def test_loops_that_live_for_one_call_share_a_limited_number_of_threads() -> None:
    names = {
        async_to_sync(call_in_thread)(lambda: threading.current_thread().name) for _ in range(2 * threads.MAX_THREADS)
    }

    assert len(names) <= threads.MAX_THREADS
    assert all(name.startswith("django_introspection") for name in names)


def test_what_a_call_raises_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(call_in_thread(lambda: 1 / 0))


def test_old_and_broken_connections_are_closed_before_and_after_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make web-servers` shows it with a real database that is restarted."""
    steps: list[str] = []
    monkeypatch.setattr(threads, "close_old_connections", lambda: steps.append("close"))

    def fail() -> None:
        steps.append("call")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(call_in_thread(fail))

    assert steps == ["close", "call", "close"]


def test_a_forked_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own = threads._executor()
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert threads._executor() is not own
    threads._executors.pop(-1).shutdown()
