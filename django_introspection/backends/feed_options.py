"""The entry REVOCATIONS of an alias of BACKENDS: how the backend hears of revocations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..conf import introspection_settings
from ..exceptions import InvalidBackend
from ..protocol.identifiers import endpoint_problem
from ..setting_values import BACKEND_ALIAS, LONGEST_LEEWAY, NAME, is_whole_number, unknown_keys
from .options import naming_option

LEAST_DELAY, LONGEST_DELAY = 2, 300
LONGEST_WAIT = 20
"""Seconds."""
WAIT_SHARE = 0.4
"""Share of MAX_DELAY for which a request to the server may wait: one that fails can be followed by another in time."""

DATABASE = "database"
"""FEED of a backend that reads the feed from the tables of its authorization server."""


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """How a backend follows the feed of the server that it asks.

    FEED is True for the feed of the server, and "database" for the same in tables that both sides share. URL is the
    address of the feed, if the metadata of the issuer does not name it. After MAX_DELAY seconds without a complete
    reading, nothing that is kept is accepted because of the feed.
    """

    FEED: Any
    URL: Any = None
    MAX_DELAY: int = 10
    place: str = ""

    @property
    def wait(self) -> int:
        """The seconds for which a request to the server may wait for news."""
        return min(max(int(self.MAX_DELAY * WAIT_SHARE), 1), LONGEST_WAIT)

    @classmethod
    def read(cls, alias: str, values: Any, *, insecure_http: bool) -> FeedOptions:
        """Read the REVOCATIONS of an alias; raises InvalidBackend that names the place."""
        names = [each.name for each in fields(cls) if each.name.isupper()]
        options = cls(**{"FEED": False, **_checked(alias, values, names)}, place=_place(alias))
        if not _is_own(options.FEED):
            raise options.invalid("FEED", "must be True or 'database': it is the feed of the server that is asked")
        if options.URL is not None:
            url = options.URL if isinstance(options.URL, str) else ""
            if problem := endpoint_problem(url, insecure_http=insecure_http):
                raise options.invalid("URL", naming_option(problem))
        if not is_whole_number(options.MAX_DELAY, least=LEAST_DELAY) or options.MAX_DELAY > LONGEST_DELAY:
            problem = f"must be a whole number of seconds from {LEAST_DELAY} to {LONGEST_DELAY}"
            raise options.invalid("MAX_DELAY", problem)
        return options

    @property
    def is_in_database(self) -> bool:
        """Whether the feed is read from the database, and not from the server."""
        return self.FEED is not True

    def invalid(self, name: str, problem: str) -> InvalidBackend:
        """Return the error for one key."""
        return InvalidBackend(f"{self.place}[{name!r}] {problem}.")


def shared_feed(alias: str, values: Any) -> str:
    """Return the alias in FEED, which is that of a backend with a feed of its own; raises InvalidBackend."""
    feed, place = _checked(alias, values, ["FEED"]).get("FEED"), f"{_place(alias)}['FEED']"
    if not isinstance(feed, str) or feed not in introspection_settings.BACKENDS:
        raise InvalidBackend(f"{place} {BACKEND_ALIAS}.")
    entry: Any = introspection_settings.BACKENDS[feed]
    its_own = entry.get("REVOCATIONS") if isinstance(entry, Mapping) else None
    if not isinstance(its_own, Mapping) or not _is_own(its_own.get("FEED")):
        raise InvalidBackend(f"{place} names {feed!r}, whose own REVOCATIONS must have 'FEED': True or 'database'.")
    return feed


def _is_own(feed: Any) -> bool:
    return feed is True or feed == DATABASE


def _checked(alias: str, values: Any, names: Iterable[str]) -> Mapping[str, Any]:
    """Return the entry if it is a dictionary without other keys, and LEEWAY not too long; raises InvalidBackend."""
    if not isinstance(values, Mapping):
        raise InvalidBackend(f"{_place(alias)} must be a dictionary.")
    entry: dict[Any, Any] = dict(values)
    if unknown := entry.keys() - set(names):
        raise InvalidBackend(f"{_place(alias)} {unknown_keys(unknown, names)}.")
    if introspection_settings.LEEWAY > LONGEST_LEEWAY:
        raise InvalidBackend(f"{_place(alias)} needs a LEEWAY of {LONGEST_LEEWAY} seconds or less.")
    return entry


def _place(alias: str) -> str:
    return f"{NAME}['BACKENDS'][{alias!r}]['REVOCATIONS']"
