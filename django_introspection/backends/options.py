"""The entries OPTIONS and CACHE of an alias of BACKENDS, read and validated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from ..exceptions import InvalidBackend, InvalidSetting
from ..protocol.identifiers import PLAIN_HTTP, endpoint_problem
from ..setting_values import BOOLEAN, CACHE_ALIAS, NAME, is_whole_number, one_of, unknown_keys

_HOUR = 60 * 60
_DAY = 24 * _HOUR


class Options:
    """Take the options at one place of the settings one by one; one that is left over does not exist and is refused.

    Messages name the place and never hold a value, which may be a secret. Wrong options raise `error`.
    """

    def __init__(self, place: str, values: Mapping[str, Any], error: type[InvalidSetting] = InvalidBackend) -> None:
        self.place, self._error = place, error
        if not isinstance(values, Mapping):
            raise error(f"{place} must be a dictionary.")
        self._values = dict(values)
        self._known: list[str] = []

    def string(self, name: str, default: str | None = None) -> str | None:
        """Take a string that is not empty."""
        value = self._take(name, default)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.invalid(name, "must be a string that is not empty")
        return value

    def required(self, name: str) -> str:
        """Take a string that must be there."""
        value = self.string(name)
        if value is None:
            raise self.invalid(name, "is required")
        return value

    def url(self, name: str, *, insecure_http: bool) -> str | None:
        """Take the URL of an endpoint that tokens or secrets may be sent to."""
        url = self.string(name)
        if url is not None and (problem := endpoint_problem(url, insecure_http=insecure_http)):
            raise self.invalid(name, naming_option(problem))
        return url

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """Take one of some strings, the first by default."""
        allowed = list(choices)
        value = self._take(name, allowed[0])
        if value not in allowed:
            raise self.invalid(name, one_of(allowed))
        return str(value)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Take a dictionary that must be there."""
        value = self._take(name, None)
        if not isinstance(value, Mapping):
            raise self.invalid(name, "must be a dictionary")
        return value

    def mappings(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Take a list of dictionaries, none by default."""
        values = self._take(name, ())
        if not isinstance(values, (list, tuple)) or not all(isinstance(each, Mapping) for each in values):
            raise self.invalid(name, "must be a list of dictionaries")
        return tuple(values)

    def aliases(self, name: str) -> Mapping[str, str]:
        """Take a dictionary of aliases by strings that are not empty."""
        values = self._take(name, {})
        if not isinstance(values, Mapping) or not all(map(_is_text, [*values, *values.values()])):
            raise self.invalid(name, "must be a dictionary of strings by strings")
        return dict(values)

    def function(self, name: str) -> Callable[..., Any] | None:
        """Take a function or its dotted path, None if neither is there."""
        value = self._values.get(name)
        if isinstance(value, str):
            try:
                value = import_string(value)
            except Exception as error:  # whatever a module raises on import, it is this setting that is wrong
                raise self.invalid(name, f"cannot be imported ({type(error).__name__})") from error
        if value is None or isinstance(value, (Mapping, list, tuple, set)):
            return None
        if not callable(value):
            raise self.invalid(name, "must be a function, its dotted path, or a dictionary")
        self._take(name)
        return value  # type: ignore[no-any-return]  # what it returns is checked when it is called

    def whole_number(self, name: str, default: int) -> int:
        """Take a whole number, 1 or more."""
        value = self._take(name, default)
        if not is_whole_number(value, least=1):
            raise self.invalid(name, "must be a whole number, 1 or more")
        return int(value)

    def paths(self, name: str) -> tuple[str, ...]:
        """Take one path, or one of a certificate and one of its key."""
        value = self._take(name, ())
        given = value if isinstance(value, (list, tuple)) else (value,)
        paths = tuple(map(_path_as_text, given))
        if not all(map(_is_text, paths)) or len(paths) > 2:
            raise self.invalid(name, "must be a path, or the paths of a certificate and its key")
        return paths

    def strings(self, name: str) -> frozenset[str]:
        """Take a string or a list of strings."""
        value = self._take(name, ())
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple, set, frozenset)) or not all(map(_is_text, values)):
            raise self.invalid(name, "must be a string or a list of strings")
        return frozenset(values)

    def is_none(self, name: str) -> bool:
        """Return whether an option is None in so many words, and take it if it is."""
        if name in self._values and self._values[name] is None:
            return self._take(name) is None
        return False

    def names(self, name: str) -> tuple[str, ...]:
        """Take a string, or a list of different strings whose order counts."""
        value = self._take(name, ())
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(map(_is_text, names)) or len(set(names)) != len(names):
            raise self.invalid(name, "must be a string or a list of different strings")
        return tuple(names)

    def seconds(self, name: str, default: float, *, may_be_zero: bool = False) -> float:
        """Take a positive number of seconds, an hour at most: no call waits longer, and no timer overflows."""
        value = self._take(name, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= _HOUR or (value == 0 and not may_be_zero):
            kind = "number" if may_be_zero else "positive number"
            raise self.invalid(name, f"must be a {kind} of seconds, at most {_HOUR}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """Take True or False."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.invalid(name, BOOLEAN)
        return value

    def flag_or_path(self, name: str, default: bool) -> bool | str:
        """Take True, False or a path."""
        value = _path_as_text(self._take(name, default))
        if not isinstance(value, (bool, str)) or value == "":
            raise self.invalid(name, "must be True, False or a path")
        return value

    def finish(self) -> None:
        """Raise the error if an option was not taken."""
        if self._values:
            raise self._error(f"{self.place} {unknown_keys(self._values, self._known)}.")

    def invalid(self, name: str, problem: str) -> InvalidSetting:
        """Return the error for one option; `problem` says what it must be."""
        return self._error(f"{self.place}[{name!r}] {problem}.")

    def _take(self, name: str, default: Any = None) -> Any:
        self._known.append(name)
        return self._values.pop(name, default)


def naming_option(problem: str) -> str:
    """Return the problem of a URL in OPTIONS, with the option that allows plain http."""
    return f"{problem}, unless 'insecure_http' is True" if problem == PLAIN_HTTP else problem


def _path_as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """How long answers are kept, in seconds, and in which cache of CACHES.

    STALE_IF_ERROR lets an active answer stand in for that much longer while the server cannot be asked.
    """

    ALIAS: str = "default"
    MAX_AGE: int = 60
    INACTIVE_MAX_AGE: int = 10
    LOCAL_MAX_AGE: int = 0
    STALE_IF_ERROR: int = 0

    @classmethod
    def read(cls, alias: str, values: Any) -> CacheOptions:
        """Read the CACHE of an alias; raises InvalidBackend that names the place."""
        place = f"{NAME}['BACKENDS'][{alias!r}]['CACHE']"
        names = [each.name for each in fields(cls)]
        if not isinstance(values, Mapping):
            raise InvalidBackend(f"{place} must be a dictionary.")
        if values.keys() - set(names):
            raise InvalidBackend(f"{place} {unknown_keys(values.keys() - set(names), names)}.")
        options = cls(**values)
        if options.ALIAS not in list(settings.CACHES):
            raise InvalidBackend(f"{place}['ALIAS'] {CACHE_ALIAS}.")
        for name in names[1:]:
            seconds, least = getattr(options, name), 1 if name == "MAX_AGE" else 0
            if not is_whole_number(seconds, least=least) or seconds > _DAY:
                raise InvalidBackend(f"{place}[{name!r}] must be a whole number of seconds from {least} to {_DAY}.")
        if options.LOCAL_MAX_AGE > options.MAX_AGE:
            raise InvalidBackend(f"{place}['LOCAL_MAX_AGE'] must not be more than MAX_AGE.")
        return options
