"""Trying a feed of revocations for real, for the command introspection_doctor."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..conf import introspection_settings
from ..outbound.deadline import deadline
from ..outbound.steps import run
from ..protocol.errors import IntrospectionUnavailable
from .diagnosis import Finding, milliseconds
from .feed import Feed
from .feed_source import FeedPage

WAIT = 1
"""Seconds for which a request waits on trial."""
MOST_PAGES = 1000


def diagnose_feed(feed: Feed, timeout: float) -> Iterator[Finding]:
    """Read the feed from its begin, let a request wait, and say how soon a revocation arrives."""
    try:
        start = time.monotonic()
        ended, page, seconds = _read_all(feed, timeout)
        yield Finding.ok(f"the feed of revocations names {ended} tokens, read in {milliseconds(_since(start))}")
        yield _clock(page)
        start = time.monotonic()
        with deadline(WAIT + timeout):
            waited = run(feed.source.page(page.cursor, WAIT))
        has_waited = bool(waited.changes) or not waited.pause
    except IntrospectionUnavailable as problem:
        mend = "Install the app of the feed on the server, or set URL in REVOCATIONS. Until then the server is asked."
        yield Finding.error(f"the feed of revocations cannot be read: {problem}", mend)
        return
    if has_waited:
        yield Finding.ok(
            f"a revocation arrives at once: requests may wait there, and one takes {milliseconds(seconds)}"
        )
    else:
        what = f"a revocation arrives within {waited.pause:g} s: no request may wait there"
        mend = "Serve the feed by ASGI or with threads, and see REVOCATION_FEED['MAX_WAITING'] on the server."
        yield Finding.warning(what, mend)
    yield Finding.ok(f"if the feed fails, kept answers are used for {feed.options.MAX_DELAY} s at most")


def _read_all(feed: Feed, timeout: float) -> tuple[int, FeedPage, float]:
    """Return how many tokens have ended, the last page, and the seconds that it took; the state of the feed stays."""
    cursor, ended = None, dict[int, bool]()
    for _ in range(MOST_PAGES):
        start = time.monotonic()
        with deadline(timeout):
            page = run(feed.source.page(cursor, 0))
        ended.update((identity, expiry is not None) for identity, expiry in page.changes)
        cursor = page.cursor
        if not page.more:
            feed.last_page = feed.last_page or page
            return sum(ended.values()), page, _since(start)
    raise IntrospectionUnavailable("it does not end")


def _clock(page: FeedPage) -> Finding:
    behind, leeway = page.now - time.time(), introspection_settings.LEEWAY
    if behind > leeway + 1:
        what = f"the clock of this machine is {behind:.0f} s behind that of the feed, which is late for that reason"
        return Finding.error(what, "Synchronize both clocks.")
    return Finding.ok("the clock of this machine is not behind that of the feed")


def _since(start: float) -> float:
    return time.monotonic() - start
