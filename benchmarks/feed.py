"""The price of a feed of revocations: a view whose answer is kept in the process, with and without it; and its memory.

`python -m benchmarks.feed` prints CPU times per request, the best of some rounds that alternate.
"""

from __future__ import annotations

import hashlib
import json
import time
import tracemalloc
from collections.abc import Callable
from itertools import islice
from typing import Any

import django
from django.conf import settings

ENDED = 10_000
"""Tokens that have ended: one per cent of a million."""
ROUNDS, REQUESTS = 30, 500
TOKEN = "a-token"
URL = "https://as.example"


def configure() -> None:
    entry = {
        "BACKEND": "django_introspection.backends.RemoteBackend",
        "OPTIONS": {
            "introspection_url": f"{URL}/introspect",
            "client_id": "api",
            "client_secret": "secret",
            "audience": None,
        },
        "CACHE": {"MAX_AGE": 86400, "LOCAL_MAX_AGE": 86400},
    }
    followed = {**entry, "REVOCATIONS": {"FEED": True, "URL": f"{URL}/revocations"}}
    settings.configure(
        SECRET_KEY="for benchmarks alone",  # noqa: S106 - no secret
        INSTALLED_APPS=["rest_framework", "django_introspection.resource_server"],
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
        TOKEN_INTROSPECTION={"BACKENDS": {"without": entry, "with": followed}},
    )
    django.setup()


def identities() -> Any:
    number = 0
    while True:
        yield int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:8])
        number += 1


def prepared_view(alias: str) -> Callable[[], Any]:
    """Return what shows a kept token to a view of this backend."""
    from django.test import RequestFactory
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from django_introspection import token_backends
    from django_introspection.authentication import IntrospectionAuthentication
    from django_introspection.backends.entry import Kept
    from django_introspection.backends.revoked_tokens import identity_of
    from django_introspection.protocol.answer import Active
    from django_introspection.protocol.opaque import digest
    from django_introspection.protocol.token_info import TokenInfo

    backend: Any = token_backends[alias]
    members = {
        "scope": "a",
        "exp": int(time.time()) + 86400,
        "token_type": "Bearer",
        "sub": "alice",
        "client_id": "app",
    }
    name = digest(TOKEN)
    kept = Kept(Active(TokenInfo(members)), name.hex(), time.time() - 1)
    backend._cache.local.keep(name, kept, 0, 86400, identity_of(name))
    if backend.feed is not None:
        backend.feed.tokens.change(dict.fromkeys(islice(identities(), ENDED), 2**40))
        backend.feed._fresh_until = time.monotonic() + 86400
        backend.feed._read_at, backend.feed._trusted_until = time.time() - 1, time.time() + 86400

    class View(APIView):
        authentication_classes = (IntrospectionAuthentication.using(alias),)

        def get(self, request: Any) -> Response:
            return Response({})

    view, factory = View.as_view(), RequestFactory()
    request = factory.get("/", headers={"Authorization": f"Bearer {TOKEN}"})

    def show() -> Any:
        response = view(request)
        assert response.status_code == 200, response.data
        return response

    return show


def compare() -> dict[str, float]:
    """Return the CPU microseconds of a request without and with the feed, and their ratio."""
    shows = {alias: prepared_view(alias) for alias in ("without", "with")}
    best = dict.fromkeys(shows, float("inf"))
    for _ in range(ROUNDS):
        for alias, show in shows.items():
            start = time.process_time()
            for _ in range(REQUESTS):
                show()
            best[alias] = min(best[alias], (time.process_time() - start) / REQUESTS * 1e6)
    return {
        **{f"{alias}_us": round(value, 2) for alias, value in best.items()},
        "ratio": best["with"] / best["without"],
    }


def set_of(number: int) -> dict[str, Any]:
    """Return memory and time of a look-up among so many identities, sorted in arrays and as a set."""
    from django_introspection.backends.revoked_tokens import RevokedTokens

    names = list(islice(identities(), number))
    tracemalloc.start()
    tokens = RevokedTokens()
    tokens.change(dict.fromkeys(names, 2**40))
    tokens.change({names[0]: 2**40})
    ours = len(tokens) * (tokens._identities.itemsize + tokens._ends.itemsize)
    before = tracemalloc.get_traced_memory()[0]
    as_set = {int(str(name)) for name in names}
    theirs = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {
        "tokens": number,
        "arrays_kB": round(ours / 1000),
        "set_kB": round(theirs / 1000),
        "arrays_us": round(_look_up(tokens, names), 3),
        "set_us": round(_look_up(as_set, names), 3),
    }


def _look_up(found: Any, names: list[int]) -> float:
    probes = names[:2000]
    best = float("inf")
    for _ in range(20):
        start = time.process_time()
        for probe in probes:
            probe in found  # noqa: B015 - it is the look-up alone
        best = min(best, (time.process_time() - start) / len(probes))
    return best * 1e6


if __name__ == "__main__":
    configure()
    print(json.dumps(compare()))
    for size in (ENDED, 1_000_000):
        print(json.dumps(set_of(size)))
