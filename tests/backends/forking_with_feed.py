"""Fork while a thread follows the feed, for test_feed_processes.py; with `held` the child keeps its parent's object."""

from __future__ import annotations

import os
import sys

import django

from django_introspection import introspect, token_backends
from tests.backends.feed_server import FeedServer, until


def main() -> None:
    django.setup()
    from django.conf import settings

    with FeedServer() as server:
        settings.TOKEN_INTROSPECTION = server.settings()
        introspect("a")
        backend = token_backends["default"]
        feed = backend.feed
        assert feed is not None
        until(lambda: feed.is_fresh)
        reading, writing = os.pipe()
        with feed._lock:  # no thread is left in the child to release it
            child = os.fork()
        if not child:
            _be_the_child(backend if "held" in sys.argv else token_backends["default"], writing)
        os.read(reading, 1)
        server.end("a")
        _, status = os.waitpid(child, 0)
        print("parent:", "fresh" if feed.is_fresh else "late", status, flush=True)
        token_backends.close()


def _be_the_child(backend: object, writing: int) -> None:
    followed = backend.feed  # type: ignore[attr-defined]  # a TokenBackend
    introspect_here = backend.introspect  # type: ignore[attr-defined]
    kept = introspect_here("a"), introspect_here("another")
    until(lambda: followed.is_fresh and followed._process == os.getpid() and followed._thread.is_alive())
    assert all(kept)
    os.write(writing, b"x")
    until(lambda: len(followed.tokens))
    print("child:", "accepts" if introspect_here("a") else "refuses", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
