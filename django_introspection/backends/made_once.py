"""Objects that are made from an entry of the settings on first use, once per process."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar

from django.core.signals import setting_changed

from ..exceptions import InvalidSetting
from ..setting_values import NAME


class Closable(Protocol):
    """An object with connections."""

    def close(self) -> None:
        """Give up the connections; the object is not used afterwards."""


T = TypeVar("T", bound=Closable)


class MadeOnce(ABC, Generic[T]):
    """Make the object of each alias on first use, once per process; like `storages`, not like `connections`.

    A fork starts anew, and so does a change of the settings. The instance must live as long as the process.
    """

    def __init__(self) -> None:
        self._forget()
        setting_changed.connect(self._settings_changed)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def __getitem__(self, alias: str) -> T:
        if self._process != os.getpid():  # a fork that Python did not see, such as one by uWSGI
            self._forget()
        made = self._made.get(alias)
        if made is None:
            with self._lock:
                made = self._made.get(alias) or self._made.setdefault(alias, self.create(alias))
        return made

    @abstractmethod
    def __iter__(self) -> Iterator[str]:
        """Yield every alias."""

    @abstractmethod
    def create(self, alias: str) -> T:
        """Make an object from its settings; raise InvalidSetting that names the place."""

    def problem(self, alias: str) -> InvalidSetting | None:
        """Return the error that making an object raises, None if its settings are valid."""
        try:
            self.create(alias).close()
        except InvalidSetting as invalid:
            return invalid
        return None

    def made(self) -> Iterator[T]:
        """Yield an object of each alias with valid settings, apart from those in use, and close it again."""
        for alias in self:
            with suppress(InvalidSetting):  # `problem` returns it
                made = self.create(alias)
                made.close()
                yield made

    def close(self) -> None:
        """Close every object and forget it."""
        objects = list(self._made.values())
        self._forget()
        for each in objects:
            each.close()

    def _forget(self) -> None:
        """Start anew: after a fork the sockets belong to the parent, and no thread may be left to release a lock."""
        self._process = os.getpid()
        self._lock = RLock()
        self._made: dict[str, T] = {}

    def _settings_changed(self, *, setting: str, **_: Any) -> None:
        if setting == NAME:
            self.close()
