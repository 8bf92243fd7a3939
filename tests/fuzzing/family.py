"""The families of parsers: each has a target, valid inputs to begin with, and the modules that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings

from . import world

Target = Callable[[bytes], None]
Seeds = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Family:
    """One kind of input. The target raises for an input that is handled wrongly, and for nothing else."""

    name: str
    modules: tuple[str, ...]
    target: Target
    seeds: Seeds
    words: tuple[bytes, ...]
    has_database: bool
    longest: int
    """Bytes of the longest input."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def ready(self) -> Iterator[list[bytes]]:
        """Make the world of the target, and return the valid inputs."""
        if self.has_database:
            world.known()
        with override_settings(**self.settings):
            yield list(self.seeds())


FAMILIES: dict[str, Family] = {}


def family(
    *modules: str,
    seeds: Seeds,
    words: str = "",
    has_database: bool = False,
    longest: int = 4096,
    settings: Mapping[str, Any] | None = None,
) -> Callable[[Target], Target]:
    """Register a target under its name.

    `modules` are paths inside of the package; `words` are parts of valid inputs, with `|` between.
    """

    def register(target: Target) -> Target:
        name = target.__name__
        known = tuple(filter(None, words.encode().split(b"|")))
        FAMILIES[name] = Family(name, modules, target, seeds, known, has_database, longest, settings or {})
        return target

    return register
