"""Fork while a connection is open and another thread holds the lock; run by test_registry.py."""

from __future__ import annotations

import os
import threading

import django

from django_introspection import introspect, token_backends
from tests.misbehaving.server import remote_settings


def main() -> None:
    django.setup()
    from django.conf import settings

    settings.TOKEN_INTROSPECTION = remote_settings(os.environ["INTROSPECTION_URL"])
    introspect("token")
    backend, lock = token_backends["default"], token_backends._lock
    with lock:
        child = os.fork()
        if not child:
            _say("child", "old" if token_backends._made else "new")
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"the child ended with {status}")
    _say("parent", "same" if token_backends["default"] is backend else "other")
    token_backends.close()


def _say(who: str, found: str) -> None:
    asked = threading.Thread(target=lambda: subjects.append(introspect("token")))
    subjects: list[object] = []
    asked.start()
    asked.join(timeout=20)
    print(f"{who}: {found} {subjects[0].sub if subjects else 'locked'}", flush=True)
    token_backends["default"].close() if who == "child" else None


if __name__ == "__main__":
    main()
