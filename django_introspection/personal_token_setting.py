"""The setting PERSONAL_TOKENS as a typed value: the limits of the tokens that people make for themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .protocol.identifiers import resource_problem
from .protocol.scope import is_scope_token
from .setting_values import MAX_DAYS, check_keys, invalid_setting, is_whole_number, seconds_problem

DAY = 24 * 60 * 60
_NAME = "PERSONAL_TOKENS"
_KEYS = ("SCOPES", "AUDIENCE", "DEFAULT_LIFETIME", "MAX_LIFETIME", "MAX_TOKENS", "NOTICES", "LANGUAGE")

Load = Callable[..., Callable[..., Any]]
Scopes = Mapping[str, tuple[str, ...]] | Callable[[Any], Any]


class PersonalTokens(NamedTuple):
    """The limits of personal tokens; lifetimes are in seconds, the thresholds of notices in days.

    `scopes` maps each scope token to the Django permissions that a person must have, or is a function that returns the
    scope tokens of a user. `language` is a function that returns the language code of a user, if there is one.
    """

    scopes: Scopes = MappingProxyType({})
    audience: tuple[str, ...] = ()
    default_lifetime: int = 30 * DAY
    max_lifetime: int = 365 * DAY
    max_tokens: int = 50
    notices: tuple[int, ...] = (1, 7)
    language: Callable[[Any], Any] | None = None

    @classmethod
    def read(cls, entry: Any, load: Load) -> PersonalTokens:
        """Read PERSONAL_TOKENS; `load` imports the function at a place. Raises InvalidSetting."""
        check_keys(entry, _KEYS, _NAME)
        default = cls()
        longest = _seconds(entry, "MAX_LIFETIME", default.max_lifetime)
        lifetime = _seconds(entry, "DEFAULT_LIFETIME", min(default.default_lifetime, longest))
        if lifetime > longest:
            raise invalid_setting(_NAME, "DEFAULT_LIFETIME", problem="must not be more than MAX_LIFETIME")
        language = entry.get("LANGUAGE")
        return cls(
            _scopes(entry.get("SCOPES", {}), load),
            _audience(entry.get("AUDIENCE", ())),
            lifetime,
            longest,
            _max_tokens(entry.get("MAX_TOKENS", default.max_tokens)),
            _notices(entry.get("NOTICES", default.notices)),
            None if language is None else load(language, _NAME, "LANGUAGE"),
        )


def _seconds(entry: Mapping[str, Any], key: str, default: int) -> int:
    value = entry.get(key, default)
    if problem := seconds_problem(value, least=1):
        raise invalid_setting(_NAME, key, problem=problem)
    return int(value)


def _max_tokens(value: Any) -> int:
    if not is_whole_number(value, least=1):
        raise invalid_setting(_NAME, "MAX_TOKENS", problem="must be a whole number of tokens, 1 or more")
    return int(value)


def _scopes(value: Any, load: Load) -> Scopes:
    if isinstance(value, str):
        return load(value, _NAME, "SCOPES")
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and is_scope_token(name) for name in value):
        problem = "must be a dictionary with scope tokens as keys, or the dotted path of a function"
        raise invalid_setting(_NAME, "SCOPES", problem=problem)
    return MappingProxyType({name: _permissions(name, needed) for name, needed in value.items()})


def _permissions(scope: str, needed: Any) -> tuple[str, ...]:
    """Return the permissions that a scope token needs; none for one that every person may give."""
    permissions = () if needed is None else (needed,) if isinstance(needed, str) else needed
    if not isinstance(permissions, (list, tuple)) or not all(
        isinstance(each, str) and each.count(".") == 1 and all(each.split(".")) for each in permissions
    ):
        problem = "must be None, a permission such as 'orders.view_order', or a list of permissions"
        raise invalid_setting(_NAME, "SCOPES", scope, problem=problem)
    return tuple(permissions)


def _audience(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(each, str) and not resource_problem(each) for each in value
    ):
        raise invalid_setting(_NAME, "AUDIENCE", problem="must be a list of absolute URIs without fragment")
    return tuple(value)


def _notices(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not all(is_whole_number(each, least=1) for each in value):
        raise invalid_setting(_NAME, "NOTICES", problem="must be a list of whole numbers of days, 1 or more")
    if any(each > MAX_DAYS for each in value):
        raise invalid_setting(_NAME, "NOTICES", problem=f"must have {MAX_DAYS} days (a hundred years) or less")
    return tuple(sorted(set(value)))
