"""Functions of the project that this package calls: a mistake in one is answered 503, and never with half an answer."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from .protocol.errors import IntrospectionUnavailable

logger = logging.getLogger("django_introspection")

_Result = TypeVar("_Result")


def call_hook(
    place: str,
    hook: Callable[..., Any],
    *arguments: Any,
    read: Callable[[Any], _Result],
    passing: tuple[type[Exception], ...] = (),
) -> _Result:
    """Call a function of the project and return what `read` makes of its result.

    `place` names the function for the log. `read` raises TypeError or ValueError for a result that cannot be used, with
    a text that holds no value of it. Exceptions in `passing` are the function's way to answer. For every other
    exception, raise IntrospectionUnavailable and log the place and the lines, but never the text of the exception.
    """
    passing = (*passing, IntrospectionUnavailable)
    try:
        result = hook(*arguments)
    except passing:
        raise
    except Exception as error:
        raise _failed(place, f"raised {type(error).__name__} at {line_of(error)}") from error
    try:
        return read(result)
    except passing:
        raise
    except (TypeError, ValueError) as error:
        raise _failed(place, f"returned a value that cannot be used: {error}") from error
    except Exception as error:  # an attribute of the result that is code of the project as well
        raise _failed(place, f"returned a value that raised {type(error).__name__}") from error


def _failed(place: str, problem: str) -> IntrospectionUnavailable:
    logger.error("%s %s", place, problem)
    return IntrospectionUnavailable(f"{place} failed")


def line_of(error: Exception, *, of: type | None = None) -> str:
    """Name the innermost line in the file of the function, and the line of other code that it called, if any.

    `of` is the class whose file is meant; otherwise it is that of the function that our code called first.
    """
    _, *frames = traceback.extract_tb(error.__traceback__)
    if not frames:  # the function could not be called
        return "its call"
    files = (getattr(sys.modules.get(of.__module__), "__file__", None) if of else None, frames[0].filename)
    own = next(frame for file in files for frame in reversed(frames) if frame.filename == file)
    inner = "" if frames[-1] is own else f", in {_place_of(frames[-1])}"
    return f"{_place_of(own)}{inner}"


def _place_of(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno}"
