"""Errors that carry no values: reports and error trackers show the local variables of each frame of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from traceback import clear_frames
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def conceal_locals(function: Function) -> Function:
    """Clear the local variables of every frame that an error has left by the time it leaves a function.

    Decorate the functions, sync or async, that receive tokens and secrets; the functions that they call need no
    decorator. The arguments are dropped as well. Files, lines and names of functions stay in the traceback, and an
    error that the caller was handling before keeps its variables.
    """

    @wraps(function)
    def concealing(*args: Any, **kwargs: Any) -> Any:
        handled = sys.exception()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs  # this frame is in the traceback too, and cannot be cleared while it runs
            _clear(error, handled)
            raise

    @wraps(function)
    async def aconcealing(*args: Any, **kwargs: Any) -> Any:
        handled = sys.exception()
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _clear(error, handled)
            raise

    return aconcealing if iscoroutinefunction(function) else concealing  # type: ignore[return-value] # same signature


def _clear(error: BaseException, handled: BaseException | None) -> None:
    """Clear the frames of an error and of its causes, up to the error that was being handled before."""
    seen = {id(handled)}  # by identity, because some exceptions cannot be hashed
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        clear_frames(each.__traceback__)
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
