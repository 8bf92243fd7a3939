"""An authorization server with a feed of revocations, whose faults a test decides on."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import parse_qs

from django_introspection.protocol.jwt import token_identity
from django_introspection.testing.http import Listener

LIFETIME = 600


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something holds; the test fails if it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


class FeedServer:
    """Know every token until it is revoked, and report each revocation in the feed unless `is_cut`."""

    def __init__(self) -> None:
        self.issuer: str | None = None
        self.policy, self.resources = "any", list[str]()
        self.questions: list[str] = []
        self.polls: list[dict[str, str]] = []
        self.fault: Callable[[], tuple[int, Any, dict[str, str]]] | None = None
        self.clock_ahead = 0
        self.page_size = 1000
        self.before_answer: Callable[[str], None] = lambda token: None
        self._epoch, self._changes = 1, list[list[Any]]()
        self._ended: set[str] = set()
        self._changed = threading.Condition()
        self._listener = Listener(self._respond)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.fault = None
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._listener.stop()

    _is_over = False

    @property
    def origin(self) -> str:
        return self._listener.origin

    def settings(self, *, cache: Any = None, **revocations: Any) -> dict[str, Any]:
        options = {
            "introspection_url": f"{self.origin}/introspect",
            "client_id": "orders-api",
            "client_secret": "a secret",
            "timeout": 3,
        }
        entry = {
            "BACKEND": "django_introspection.backends.RemoteBackend",
            "OPTIONS": options,
            "CACHE": {"LOCAL_MAX_AGE": 60} if cache is None else cache,
            "REVOCATIONS": {"FEED": True, "URL": f"{self.origin}/revocations", "MAX_DELAY": 2, **revocations},
        }
        return {"BACKENDS": {"default": entry}}

    def end(self, token: str, *, lifetime: int = LIFETIME, is_heard: bool = True) -> None:
        """Revoke a token; with `is_heard` the feed says so."""
        self._ended.add(token)
        if is_heard:
            self._add([_name(token), int(time.time()) + self.clock_ahead + lifetime])

    def restore(self, token: str) -> None:
        """Let a token be active again."""
        self._ended.discard(token)
        self._add([_name(token)])

    def lose_history(self) -> None:
        """Know no cursor any more, and no earlier change."""
        with self._changed:
            self._epoch, self._changes = self._epoch + 1, []
            self._changed.notify_all()

    @contextmanager
    def refusing(self) -> Any:
        """Refuse every connection for a while."""
        with self._listener.refusing():
            yield

    def _add(self, change: list[Any]) -> None:
        with self._changed:
            self._changes.append(change)
            self._changed.notify_all()

    def _respond(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert headers["authorization"].startswith("Basic ")
        if path == "/introspect":
            return self._introspect(form["token"])
        self.polls.append(form)
        return self._page(form) if self.fault is None else self.fault()

    def _introspect(self, token: str) -> tuple[int, Any, dict[str, str]]:
        self.questions.append(token)
        is_active = token not in self._ended
        self.before_answer(token)
        if not is_active:
            return 200, {"active": False}, {}
        return 200, {"active": True, "scope": "a", "exp": int(time.time()) + LIFETIME, "token_type": "Bearer"}, {}

    def _page(self, form: Mapping[str, str]) -> tuple[int, Any, dict[str, str]]:
        with self._changed:
            epoch, _, position = form.get("after", "0.0").partition(".")
            restart = epoch != str(self._epoch)
            start = 0 if restart else int(position)
            if "wait" in form and not restart:
                self._changed.wait_for(
                    lambda: self._is_over or epoch != str(self._epoch) or len(self._changes) > start,
                    timeout=int(form["wait"]),
                )
                if epoch != str(self._epoch):
                    restart, start = True, 0
            end = min(start + self.page_size, len(self._changes))
            page = {
                "cursor": f"{self._epoch}.{end}",
                "restart": restart,
                "more": end < len(self._changes),
                "now": int(time.time()) + self.clock_ahead,
                "pause": 0,
                "policy": self.policy,
                "resources": self.resources,
                "changes": self._changes[start:end],
                "age": 0,
                **({} if self.issuer is None else {"issuer": self.issuer}),
            }
        return 200, page, {}


def _name(token: str) -> str:
    return base64.urlsafe_b64encode(token_identity(token)[:8]).rstrip(b"=").decode()
