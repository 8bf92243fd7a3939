"""Whether an operator asks about a token at this moment: then the token is judged, and not used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inspecting: ContextVar[bool] = ContextVar("introspection_inspecting", default=False)


@contextmanager
def inspecting() -> Iterator[None]:
    """Note that the questions in this block are those of an operator."""
    before = _inspecting.set(True)
    try:
        yield
    finally:
        _inspecting.reset(before)


def is_inspecting() -> bool:
    """Return whether an operator asks."""
    return _inspecting.get()
