"""Threads in which async code makes calls that block, such as those to a cache."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from django.db import close_old_connections

T = TypeVar("T")
MAX_THREADS = 32
"""The connections that async code opens to one cache or database are never more than these."""

_executors: dict[int, ThreadPoolExecutor] = {}


async def call_in_thread(call: Callable[[], T]) -> T:
    """Make a blocking call in one of the threads of this process.

    Django gives each thread its own connections, and these threads live as long as the process. The default executor
    belongs to its event loop, and `async_to_sync` makes a loop for each call.
    """
    run = copy_context().run
    return await asyncio.get_running_loop().run_in_executor(_executor(), run, _with_usable_connections, call)


def _with_usable_connections(call: Callable[[], T]) -> T:
    """Treat the connections to databases as Django does around a request: a broken or old one is closed."""
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()


def _executor() -> ThreadPoolExecutor:
    """Return the threads of this process: those of a parent process do not run in a fork, which Python may not see."""
    process = os.getpid()
    executor = _executors.get(process)
    if executor is None:
        made = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="django_introspection")
        executor = _executors.setdefault(process, made)
    return executor
