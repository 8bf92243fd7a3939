"""The system checks of the feed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from django_introspection.check_messages import HINTS
from django_introspection.revocation_feed import checks
from tests.misbehaving.server import remote_settings


def test_a_feed_needs_the_tables_of_the_tokens() -> None:
    assert checks.check_app() == []
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]):
        (message,) = checks.check_app()

    assert (message.id, message.hint) == ("introspection.E090", HINTS["E090"])


@pytest.mark.parametrize("is_remote", [True, False])
def test_a_feed_knows_nothing_of_the_tokens_of_other_servers(is_remote: bool, settings: Any) -> None:
    values = remote_settings("https://as.example") if is_remote else settings.TOKEN_INTROSPECTION
    settings.TOKEN_INTROSPECTION = {**values, "INTROSPECTION_BACKEND": "default"}

    assert [message.id for message in checks.check_source()] == ["introspection.E091"] * is_remote


def test_without_another_source_nothing_is_wrong(settings: Any) -> None:
    assert checks.check_source() == []


DJANGO = "django.core.cache.backends."
REDIS = {"BACKEND": f"{DJANGO}redis.RedisCache", "LOCATION": "redis://cache.example.com"}


@pytest.mark.parametrize(
    ("cache", "ids"),
    [
        ({"BACKEND": f"{DJANGO}locmem.LocMemCache"}, ["introspection.E092"]),
        (REDIS, []),
        ({**REDIS, "BACKEND": "tests.caches.CountingRedisCache"}, []),
        ({**REDIS, "BACKEND": "no.such.Cache"}, []),  # E044 reports it
        (
            {**REDIS, "OPTIONS": {"CLIENT_CLASS": "django_redis.client.ShardClient"}},
            ["introspection.E092"],
        ),
    ],
    ids=["in memory", "Redis", "a subclass", "missing", "shards"],
)
def test_the_cache_of_the_feed_must_publish(cache: dict[str, Any], ids: list[str], settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "feed": cache}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"ALIAS": "feed"}}

    messages = list(checks.check_channel())

    assert [message.id for message in messages] == ids
    assert all(message.hint == HINTS["E092"] for message in messages)


def test_a_feed_without_a_cache_has_nothing_to_publish(settings: Any) -> None:
    assert checks.check_channel() == []
