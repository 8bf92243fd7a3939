"""Where a value that is shown once must not be afterwards."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.cache import caches
from django.test import Client as Browser

from tests.authorization_server.helpers import everything_stored


def left_behind(browser: Browser, log: Any, *pages: str) -> list[str]:
    """Everything that outlives an answer, as text: rows, history, session, cookies, cache, log, and the pages after."""
    shown = [browser.get(page).content.decode() for page in pages]
    history = [f"{entry.change_message} {entry.object_repr}" for entry in LogEntry.objects.all()]
    kept = [
        everything_stored(),
        repr(dict(browser.session)),
        repr(browser.cookies),
        repr(getattr(caches["default"], "_cache", None)),
    ]
    return [*shown, *history, *kept, log.text, *(repr(vars(record)) for record in log.records)]
