"""What every token backend is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from ..conf import NAME
from ..exceptions import InvalidBackend
from ..protocol.answer import Answer

_HOUR = 60 * 60


class Options:
    """Take the OPTIONS of a backend one by one; what nobody took is unknown and refused.

    Messages name the place and never hold a value, which may be a secret.
    """

    def __init__(self, alias: str, values: Mapping[str, Any]) -> None:
        self.place = f"{NAME}['BACKENDS'][{alias!r}]['OPTIONS']"
        if not isinstance(values, Mapping):
            raise InvalidBackend(f"{self.place}: a dictionary is expected")
        self._values = dict(values)

    def string(self, name: str, default: str | None = None) -> str | None:
        """Take a string that is not empty."""
        value = self._values.pop(name, default)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.invalid(name, "a string is expected")
        return value

    def required(self, name: str) -> str:
        """Take a string that must be there."""
        value = self.string(name)
        if value is None:
            raise self.invalid(name, "it is required")
        return value

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """Take one of some strings, the first by default."""
        allowed = list(choices)
        value = self._values.pop(name, allowed[0])
        if value not in allowed:
            raise self.invalid(name, f"one of {', '.join(allowed)} is expected")
        return str(value)

    def strings(self, name: str) -> frozenset[str]:
        """Take a string or a list of strings."""
        value = self._values.pop(name, ())
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple, set, frozenset)) or not all(
            isinstance(item, str) and item for item in values
        ):
            raise self.invalid(name, "a string or a list of strings is expected")
        return frozenset(values)

    def seconds(self, name: str, default: float) -> float:
        """Take a positive number of seconds, an hour at most: no call waits longer, and no timer overflows."""
        value = self._values.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _HOUR:
            raise self.invalid(name, f"a positive number of seconds, {_HOUR} or fewer, is expected")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Take True or False."""
        value = self._values.pop(name, default)
        if not isinstance(value, bool):
            raise self.invalid(name, "True or False is expected")
        return value

    def flag_or_string(self, name: str, default: bool) -> bool | str:
        """Take True, False or a string that is not empty."""
        value = self._values.pop(name, default)
        if not isinstance(value, (bool, str)) or value == "":
            raise self.invalid(name, "True, False or a path is expected")
        return value

    def finish(self) -> None:
        """Refuse what is left."""
        if self._values:
            unknown = ", ".join(sorted(map(repr, self._values)))
            raise InvalidBackend(f"{self.place}: unknown: {unknown}")

    def invalid(self, name: str, problem: str) -> InvalidBackend:
        """Return the error for one option."""
        return InvalidBackend(f"{self.place}[{name!r}]: {problem}")


class TokenBackend(ABC):
    """Find out what tokens mean. One instance per process and alias, shared by threads and event loops.

    `audience` are the identifiers of this resource server, one of which a token must be for; empty where
    that is not asked. `issuer` is the only issuer believed, where set. `requires_token_type` refuses an
    answer that does not say it is about an access token. `user_resolver` is the entry USER of the alias.
    """

    issuer: str | None = None
    user_resolver: Any = None
    requires_token_type = True

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        taken = Options(alias, options)
        self.place = taken.place
        self.audience = taken.strings("audience")
        self.configure(taken)
        taken.finish()

    def configure(self, options: Options) -> None:
        """Take the options of this kind of backend; raises InvalidBackend. No input or output here."""

    @abstractmethod
    def introspect(self, token: str) -> Answer:
        """Ask the source about a token; raises IntrospectionUnavailable where it cannot be found out."""

    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, without blocking the event loop."""
        return await sync_to_async(self.introspect)(token)

    def check(self) -> list[CheckMessage]:
        """Return what the system checks should say of this backend."""
        return []

    def close(self) -> None:
        """Give up connections; the backend is not used afterwards."""
