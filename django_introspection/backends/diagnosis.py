"""The findings about a backend that was tried, for the command introspection_doctor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..conf import introspection_settings
from ..protocol.answer import Active, Answer, Inactive, Reason
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.opaque import ACCESS_TOKEN


class Severity(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a try, and the advice about it; neither holds a secret."""

    severity: Severity
    what: str
    mend: str = ""

    @classmethod
    def ok(cls, what: str) -> Finding:
        """Return a finding about something that works."""
        return cls(Severity.OK, what)

    @classmethod
    def warning(cls, what: str, mend: str) -> Finding:
        """Return a finding about a risk."""
        return cls(Severity.WARNING, what, mend)

    @classmethod
    def error(cls, what: str, mend: str) -> Finding:
        """Return a finding about something that does not work."""
        return cls(Severity.ERROR, what, mend)


def random_token() -> str:
    """Make a token of the right shape that was never issued."""
    return introspection_settings.TOKEN_PREFIX.generate(ACCESS_TOKEN)


def ask(introspect: Callable[[str], Answer]) -> Iterator[Finding]:
    """Ask about a token that was never issued; only "inactive" is right."""
    start = time.monotonic()
    try:
        answer = introspect(random_token())
    except IntrospectionUnavailable as problem:
        yield Finding.error(f"it cannot answer: {problem}", "Requests with a token get 503 until it can.")
        return
    if mistake := result_problem(answer):
        yield Finding.error(f"its introspect() {mistake}", "Correct it: requests with a token get 500 until then.")
    elif answer:
        yield said_active()
    elif answer.reason == Reason.MALFORMED:
        yield Finding.ok("it refuses a token that is not of its kind")
    else:
        yield Finding.ok(f"a random token is inactive, in {milliseconds(time.monotonic() - start)}")


def result_problem(result: object) -> str | None:
    """Return why the result of a backend is no answer, None if it is one; the value is not named."""
    if isinstance(result, Active | Inactive):
        return None
    return f"returned {type(result).__name__}, and must return Active or Inactive"


def said_active() -> Finding:
    """Return the finding about a source that takes everything."""
    return Finding.error("a random token is active", "Stop using this backend: it lets everybody in.")


def milliseconds(seconds: float) -> str:
    """Return a time for people."""
    return f"{seconds * 1000:.0f} ms"
