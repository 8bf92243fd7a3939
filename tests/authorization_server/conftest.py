from __future__ import annotations

from typing import Any

import pytest
from django.dispatch import Signal

from django_introspection import signals


@pytest.fixture
def connect() -> Any:
    """Connect receivers for the length of a test."""
    connected = []

    def one(name: str, receiver: Any) -> None:
        connected.append((getattr(signals, name), receiver))
        getattr(signals, name).connect(receiver, weak=False)

    yield one
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.fixture
def heard(connect: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every signal of the test: its name and its keywords."""
    calls: list[tuple[str, dict[str, Any]]] = []
    for name in [name for name, value in vars(signals).items() if isinstance(value, Signal)]:

        def receiver(signal: Any, sender: Any, name: str = name, **keywords: Any) -> None:
            calls.append((name, keywords))

        connect(name, receiver)
    return calls
