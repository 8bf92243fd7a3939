"""The protection that the path of a request needs: the most specific one, in every way in which it can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain

from django.http import HttpRequest

from ..protocol.paths import TooManyReadings, merge_slashes, path_readings
from ..setting_values import ProtectedPath
from .denial import InvalidResourceRequest
from .protection import Protection
from .requirements import Requirement

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 §9.2.1)."""


class PathRule:
    """One protected path, ready to be compared and to admit requests."""

    def __init__(self, entry: ProtectedPath) -> None:
        self.prefix = merge_slashes(entry.prefix).rstrip("/")
        self.protection = Protection(entry.backend, schemes=entry.schemes)
        self.requirements = _requirements(entry)
        self._scopes = entry.scopes
        self._write_scopes = entry.scopes if entry.write_scopes is None else entry.write_scopes
        # Compared as URL patterns with the flag `i` are: `casefold` does not know every pair of letters that they do.
        name = re.escape(self.prefix.removeprefix("/"))
        source = rf"/*{name}(?:/|\Z)" if name else ""
        self._pattern, self._in_same_case = re.compile(source, re.IGNORECASE), re.compile(source)

    def covers(self, path: str, *, in_same_case: bool = False) -> bool:
        """Return whether a path is this one or below it."""
        return (self._in_same_case if in_same_case else self._pattern).match(path) is not None

    def scopes_for(self, method: str | None) -> tuple[str, ...]:
        """Return the scopes that a request with this method needs."""
        return self._scopes if method in SAFE_METHODS else self._write_scopes


class PathRules:
    """The protected paths, of which the most specific one decides."""

    def __init__(self, entries: Iterable[ProtectedPath]) -> None:
        self._rules = sorted(map(PathRule, entries), key=lambda rule: len(rule.prefix), reverse=True)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def most_specific(self, path: str, *, in_same_case: bool = False) -> PathRule | None:
        """Return the rule that covers a path in this one reading."""
        return next((each for each in self._rules if each.covers(path, in_same_case=in_same_case)), None)

    def of(self, request: HttpRequest, *, elsewhere: str | None = None) -> PathRule | None:
        """Return the rule of a request, None if its path is not protected.

        `elsewhere` is the path, with its encoded slashes, for which a program other than this project has URL patterns,
        perhaps with regard to case. Raises InvalidResourceRequest if the rule depends on the program that reads the
        path.
        """
        if not self._rules:
            return None
        found: set[PathRule | None] = set()
        try:
            for reading in chain.from_iterable(map(path_readings, filter(None, (request.path_info, elsewhere)))):
                found.add(self.most_specific(reading))
                if elsewhere is not None:
                    found.add(self.most_specific(reading, in_same_case=True))
                if len(found) > 1:
                    raise TooManyReadings("the path can be read in two ways")
        except TooManyReadings:
            known = next(filter(None, found), self._rules[-1])
            announcement = known.protection.announcement.answering(request)
            raise InvalidResourceRequest("The path of the request is ambiguous.", announcement=announcement) from None
        return found.pop()


def _requirements(entry: ProtectedPath) -> tuple[Requirement, ...]:
    if entry.step_up is None:
        return ()
    from .step_up import StepUpRequirement

    return (StepUpRequirement(entry.step_up),)
