"""Errors in the middle of our code: each function that a call runs fails once, at its end, where it knows the most."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpcore2

import django_introspection

FILES = tuple(str(Path(module.__file__ or "").parent) for module in (django_introspection, httpcore2))


class Injected(Exception):
    """An error that no code of ours expects."""


def functions_of(prepare: Callable[[], Any], act: Callable[[Any], Any]) -> list[CodeType]:
    """Return the functions of ours and of the HTTP library that a call runs."""
    act(prepare())  # what is imported or made at first is there
    ready = prepare()
    found: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(FILES) and not _crashes_as_it_returns(frame.f_code):
            found[frame.f_code] = None

    with _tracing(note):
        act(ready)
    return list(found)


def _crashes_as_it_returns(function: CodeType) -> bool:
    """Return whether an error that only a tracer can raise, at the return of this coroutine, crashes the interpreter.

    CPython 3.12 runs the coroutine once more after its frame was cleared. Errors that code raises are not affected.
    """
    return sys.version_info[:2] == (3, 12) and function.co_name == "aconcealing"


@contextmanager
def failing(function: CodeType) -> Iterator[None]:
    """Let a function fail as it returns, once."""
    pending = [function]

    def fail(frame: FrameType, event: str, value: Any) -> Any:
        del value  # this frame is in the traceback as well
        if event == "return" and pending:
            pending.clear()
            raise Injected
        return fail

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        return fail if event == "call" and pending and frame.f_code is function else None

    with _tracing(watch):
        yield


@contextmanager
def _tracing(trace: Any) -> Iterator[None]:
    before = sys.gettrace()
    threading.settrace_all_threads(trace) if hasattr(threading, "settrace_all_threads") else threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type] # None ends it; the stubs do not know
