"""Play every entry point with an error at every depth, and print what an error tracker would have sent of our secrets.

In a process of its own: sentry-sdk changes Django for as long as a process lives. Run by test_error_tracking.py, which
names a database in a file: threads share it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from typing import Any

import django
import sentry_sdk
from django.core.management import call_command
from django.test.utils import override_settings, setup_test_environment
from django.views.debug import ExceptionReporter
from sentry_sdk.transport import Transport

from tests.error_tracking.injection import failing, functions_of

GENERATED = re.compile(r"dit_(at|rt|cs)_[0-9A-Za-z]{20}")
DEPTHS = 3
"""How many functions fail at an entry point; all of them if ALL_DEPTHS is set, which takes minutes."""
kept: list[str] = []
"""The events of sentry-sdk and the reports of Django, as text."""


class KeepingTransport(Transport):
    """Keep events here; everything else of the tracker is as it is by default."""

    def capture_envelope(self, envelope: Any) -> None:
        """Keep what would be sent."""
        kept.append(envelope.serialize().decode())


class Reports(logging.Handler):
    """Keep the reports that Django mails to the operators."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the report of an error."""
        if record.exc_info:
            keep_report(getattr(record, "request", None), *record.exc_info)


def keep_report(request: Any, *error: Any) -> None:
    reporter = ExceptionReporter(request, *error)
    kept.append(reporter.get_traceback_html() + reporter.get_traceback_text())


def play(act: Any, ready: Any) -> None:
    """Call an entry point, and report an error that comes out of it as a program does."""
    try:
        act(ready)
    except SystemExit:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is
        sentry_sdk.capture_exception(error)
        keep_report(None, type(error), error, error.__traceback__)


def examine(point: Any) -> dict[str, Any]:
    """Return how many functions failed and were reported, and which values the reports showed."""
    with override_settings(**point.settings):
        return _examine(point)


def _examine(point: Any) -> dict[str, Any]:
    from tests.error_tracking.entry_points import values_of

    functions, reported = functions_of(point.prepare, point.act), 0
    leaks: dict[str, list[str]] = {}
    if "ALL_DEPTHS" not in os.environ:
        functions = functions[:: max(len(functions) // DEPTHS, 1)]
    for function in functions:
        ready = point.prepare()
        kept.clear()
        with failing(function):
            play(point.act, ready)
        reported += bool(kept)
        text = "".join(kept)
        shown = {value for value in values_of(ready) if value in text} | {m[0] for m in GENERATED.finditer(text)}
        if shown:
            place = re.search(r".{120}" + re.escape(min(shown)) + r".{20}", text, re.DOTALL)
            leaks[function.co_qualname] = [*sorted(shown), place[0] if place and os.environ.get("SHOW") else ""]
    print(len(functions), reported, len(leaks), file=sys.stderr)
    return {"functions": len(functions), "reported": reported, "leaks": leaks}


def main() -> None:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # one thing at a time
    django.setup()
    setup_test_environment()
    sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=KeepingTransport)
    for name in ("django.request", "django_introspection"):
        logging.getLogger(name).addHandler(Reports())
    call_command("migrate", verbosity=0)
    from tests.error_tracking.entry_points import entry_points

    with entry_points() as points:
        print(json.dumps({name: examine(point) for name, point in points.items()}))


if __name__ == "__main__":
    main()
