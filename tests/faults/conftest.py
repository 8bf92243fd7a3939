"""Servers of the tests alone, which may be filled with garbage, killed and held up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def in_redis(settings: Any, redis_server: RedisServer) -> RedisServer:
    """The default cache is in that server, which is empty."""
    redis_server.client.flushall()
    settings.CACHES = {
        "default": {
            "KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"],
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{redis_server.port}/0",
        }
    }
    return redis_server
