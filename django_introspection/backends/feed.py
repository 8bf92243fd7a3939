"""The feed of revocations as a process of a resource server follows it, in one thread of its own.

What was kept may be used only while the feed is fresh: less than MAX_DELAY seconds ago a reading began that ended with
everything the server had. So a request that begins MAX_DELAY seconds after a revocation never gets an answer of before.
If the server has lost the place of this process, what was kept before is not used until it is forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Collection
from random import uniform

from ..cache_calls import LimitedLog
from ..conf import introspection_settings
from ..outbound.deadline import deadline
from ..outbound.steps import Step, run
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import normal_resource
from ..signals import feed_changed, revocations_received
from .feed_options import FeedOptions
from .feed_source import FeedPage, PageSource
from .kept_before import KeptBefore
from .revoked_tokens import RevokedTokens

logger = logging.getLogger("django_introspection")

MARGIN = 60
"""Seconds, beside twice LEEWAY, for which an identity outlives its token."""
SWEEP = 60
"""Seconds between two looks for identities that may be forgotten."""
FIRST_PAUSE = 0.25
"""Seconds between a reading that failed and the next one; each further pause is twice as long."""
SHORTEST_PAUSE = 0.05
"""Seconds between two readings without changes, whatever the server says."""


class Feed:
    """Follow one feed.

    `on_restart` are called in a thread when the server has lost the place of this process, and forget what is kept.
    They are called again after the next reading if one of them raises an error.
    """

    def __init__(self, alias: str, source: PageSource, options: FeedOptions, timeout: float) -> None:
        self.alias, self.source, self.options, self._timeout = alias, source, options, timeout
        self.on_restart: list[Callable[[], None]] = []
        self._kept_before = KeptBefore(alias, self.on_restart)
        self.tokens = RevokedTokens()
        self.last_page: FeedPage | None = None
        self.last_failure: str | None = None
        self._is_closed = threading.Event()
        self._log = LimitedLog(logger, logging.WARNING)
        self._thread: threading.Thread | None = None
        self._cursor: str | None = None
        self._begin_anew()

    @property
    def is_fresh(self) -> bool:
        """Whether everything that ended MAX_DELAY seconds ago is known here.

        Two clocks must agree: a machine that slept, or whose clock was set, has missed a time that one of them shows.
        """
        return time.monotonic() < self._fresh_until and self._read_at <= time.time() < self._trusted_until

    @property
    def is_starting(self) -> bool:
        """Whether the first reading of this process has neither succeeded nor failed yet."""
        return not self.has_tried.is_set()

    @property
    def may_use_kept(self) -> bool:
        """Whether kept answers may be used: the feed is fresh, and those of before its last beginning are forgotten."""
        return self.is_fresh and not self._kept_before.is_left

    def clears(self, identity: int) -> bool:
        """Return whether a kept answer about a token may be used, because it is known that the token has not ended."""
        return self.may_use_kept and identity not in self.tokens

    def gap(self, *, issuer: str | None, audience: Collection[str], is_audience_named: bool) -> str | None:
        """Return why tokens of an issuer for an audience could end without this feed, None if none can.

        `is_audience_named` says that only tokens are accepted whose `aud` names the audience.
        """
        page = self.last_page
        if page is None:
            return "it has not been read yet"
        if page.issuer != issuer:
            return "it is that of another issuer, or its server has no ISSUER"
        if page.policy == "any":
            return None
        if page.policy == "audience" and is_audience_named:
            served = {normal_resource(each) for each in page.resources}
            if served.issuperset(map(normal_resource, audience)):
                return None
        return f"the introspection policy {page.policy!r} of this resource server does not show it every token"

    def start(self) -> None:
        """Follow the feed from now on; a further call changes nothing, and a forked process begins anew."""
        if self._process != os.getpid():
            self._begin_anew()
        if self._thread is None:
            with self._lock:
                self._start_once()

    def _start_once(self) -> None:
        if self._thread is None and not self._is_closed.is_set():
            name = f"django_introspection feed {self.alias}"
            self._thread = threading.Thread(target=self._follow, name=name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop: the thread ends after the request that is under way."""
        self._is_closed.set()
        self._fresh_until = -math.inf

    def read_now(self, wait: int = 0) -> FeedPage:
        """Read one page in this thread, and leave the state as it is; raise IntrospectionUnavailable."""
        with deadline(wait + self._timeout):
            return run(self.source.page(self._cursor, wait))

    def _begin_anew(self) -> None:
        self._process, self._lock = os.getpid(), threading.Lock()
        self._thread = self._cursor = None
        self._fresh_until = self._read_at = self._trusted_until = -math.inf
        self._changes: dict[int, int | None] = {}
        self._sweep_at = 0.0
        self._was_fresh = False
        self.has_tried = threading.Event()

    def _follow(self) -> None:
        pause = failures = 0.0
        while not self._is_closed.wait(pause):
            began, began_at = time.monotonic(), time.time()
            try:
                page = self.read_now(self.options.wait if self.is_fresh else 0)
                self._take(page, began, began_at)
            except IntrospectionUnavailable as problem:
                self._fail(str(problem))
            except Exception as error:  # noqa: BLE001 - a thread that ends would turn the feed off for ever
                self._fail(type(error).__name__)
            else:
                failures = 0
                pause = self._pause_after(page, time.monotonic() - began)
                self._note_state()
                continue
            failures += 1
            longest = min(FIRST_PAUSE * 2 ** min(failures - 1, 8), self.options.MAX_DELAY / 4)
            pause = uniform(longest / 2, longest)  # noqa: S311 - so that processes do not come together
            self._note_state()

    def _pause_after(self, page: FeedPage, seconds: float) -> float:
        if page.more:
            return 0
        pause = min(max(page.pause, 0), self.options.MAX_DELAY / 4)
        return pause if page.changes or seconds > SHORTEST_PAUSE else max(pause, SHORTEST_PAUSE)

    def _take(self, page: FeedPage, began: float, began_at: float) -> None:
        """Take the changes of a page, all together when there is no more; raise IntrospectionUnavailable."""
        leeway = introspection_settings.LEEWAY
        if page.now - time.time() > leeway + 1:
            raise IntrospectionUnavailable("the clock of this machine is too far behind that of the server")
        if page.restart:
            self._restart()
        self._kept_before.go_on()
        at = time.monotonic()
        outlives = 2 * leeway + MARGIN  # this clock may be behind by LEEWAY, and accepts a token for LEEWAY more
        for identity, expiry in page.changes:
            end = None if expiry is None else math.ceil(at + max(expiry - page.now, 0)) + outlives
            self._changes[identity] = end
        self._cursor, self.last_page, self.last_failure = page.cursor, page, None
        if page.more:
            return
        if self._changes:
            self.tokens.change(self._changes)
            revocations_received.send_robust(type(self), backend=self.alias, count=len(self._changes), age=page.age)
            self._changes = {}
        if at >= self._sweep_at:
            self.tokens.forget(int(at))
            self._sweep_at = at + SWEEP
        self._read_at, self._trusted_until = began_at, began_at + self.options.MAX_DELAY
        self._fresh_until = began + self.options.MAX_DELAY
        if self._is_closed.is_set():  # while this page was read
            self._fresh_until = -math.inf
        self.has_tried.set()

    def _restart(self) -> None:
        """Begin anew: what the server has forgotten stays in the set, and kept answers are asked for again."""
        self._fresh_until, self._changes = -math.inf, {}
        if self._cursor is not None:
            self._log.write("the feed of revocations begins anew backend=%s", self.alias)
            self._kept_before.begin()

    def _fail(self, problem: str) -> None:
        self.last_failure = problem
        self._log.write("the feed of revocations cannot be read backend=%s: %s", self.alias, problem)
        self.has_tried.set()

    def _note_state(self) -> None:
        """Tell receivers of the signal if the feed became fresh, or is fresh no more."""
        is_fresh = self.is_fresh
        if is_fresh != self._was_fresh:
            self._was_fresh = is_fresh
            feed_changed.send_robust(type(self), backend=self.alias, is_fresh=is_fresh)


class FirstReading(Step[None]):
    """Wait until the first reading has ended in some way, `seconds` at most."""

    def __init__(self, feed: Feed, seconds: float) -> None:
        self._feed, self._seconds = feed, seconds

    def run(self) -> None:
        """Wait in this thread."""
        self._feed.has_tried.wait(self._seconds)

    async def arun(self) -> None:
        """Wait on the running event loop."""
        until = time.monotonic() + self._seconds
        while self._feed.is_starting and time.monotonic() < until:  # noqa: ASYNC110 - the event is one of threads
            await asyncio.sleep(SHORTEST_PAUSE)
