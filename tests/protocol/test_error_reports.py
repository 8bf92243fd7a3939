"""What an error carries away from a function that conceals its local variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import pytest

from django_introspection.protocol.error_reports import conceal_locals

SECRET = "the secret"


@dataclass
class Unhashable(Exception):
    code: int = 0


def failing(kind: type[Exception]) -> None:
    secret = SECRET
    raise kind(len(secret))


def caught(kind: type[Exception]) -> Exception:
    with pytest.raises(kind) as raised:
        failing(kind)
    return raised.value


@conceal_locals
def chained(secret: str, kind: type[Exception]) -> None:
    try:
        failing(kind)
    except Exception as error:
        raise RuntimeError("chained") from error


@conceal_locals
def grouped(secret: str, kind: type[Exception]) -> None:
    raise ExceptionGroup("grouped", [caught(kind), caught(kind)])


def values_below(traceback: TracebackType | None) -> Iterator[object]:
    """Yield the local variables of every frame below the caller's own."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__ or traceback.tb_frame.f_code.co_name != (
            "test_an_error_carries_no_local_variable"
        ):
            yield from traceback.tb_frame.f_locals.values()
        traceback = traceback.tb_next


@pytest.mark.parametrize("kind", [ValueError, Unhashable])
@pytest.mark.parametrize("function", [chained, grouped])
def test_an_error_carries_no_local_variable(function: object, kind: type[Exception]) -> None:
    with pytest.raises((RuntimeError, ExceptionGroup)) as raised:
        function(SECRET, kind)  # type: ignore[operator] # one of two functions with this signature

    error: BaseException = raised.value
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else (error.__cause__,)
    for each in (error, *members):
        assert each is not None
        assert SECRET not in list(map(str, values_below(each.__traceback__)))
