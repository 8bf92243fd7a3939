"""What the checks say of caches that forget, that hang or that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from django_introspection.authorization_server import throttles
from django_introspection.check_messages import TAG
from django_introspection.protocol.errors import InvalidClient
from tests import caches as counted
from tests.settings import ISSUER, TOKEN_INTROSPECTION

DJANGO = "django.core.cache.backends."
REDIS = {
    "BACKEND": f"{DJANGO}redis.RedisCache",
    "LOCATION": "redis://cache.example.com",
    "OPTIONS": {"socket_timeout": 1},
}
LOCAL = {"BACKEND": f"{DJANGO}locmem.LocMemCache"}


class OwnDatabaseCache(DatabaseCache):
    pass


class OwnFileCache(FileBasedCache):
    pass


class OwnLocalCache(LocMemCache):
    pass


def found(values: dict[str, Any], *, deploy: bool = False, **used: Any) -> list[checks.CheckMessage]:
    """Run our checks with a cache `used` in place of `default`, or with the caches that are given."""
    named = {"default": REDIS, **used}
    settings = {"BACKENDS": TOKEN_INTROSPECTION["BACKENDS"], **values}
    with override_settings(CACHES=named, TOKEN_INTROSPECTION=settings):
        messages = checks.run_checks(tags=[TAG], include_deployment_checks=deploy)
    return [message for message in messages if str(message.id)[-4:] in ("E044", "E045", "E046", "W056", "W057")]


def ids(messages: list[checks.CheckMessage]) -> list[str]:
    return sorted(str(message.id).removeprefix(f"{TAG}.") for message in messages)


FORGETFUL: dict[str, Any] = {
    "database": {"BACKEND": f"{DJANGO}db.DatabaseCache", "LOCATION": "t"},
    "database, small": {"BACKEND": f"{DJANGO}db.DatabaseCache", "LOCATION": "t", "OPTIONS": {"MAX_ENTRIES": 99_999}},
    "own database": {"BACKEND": f"{__name__}.OwnDatabaseCache", "LOCATION": "t"},
    "files": {"BACKEND": f"{DJANGO}filebased.FileBasedCache", "LOCATION": "/tmp/x"},  # noqa: S108 - nothing is written
    "files, large": {
        "BACKEND": f"{__name__}.OwnFileCache",
        "LOCATION": "/tmp/x",  # noqa: S108 - nothing is written
        "OPTIONS": {"MAX_ENTRIES": 10**9},
    },
    "memory": LOCAL,
    "own memory": {"BACKEND": f"{__name__}.OwnLocalCache"},
    "dummy": {"BACKEND": f"{DJANGO}dummy.DummyCache"},
    "replicas": {**REDIS, "LOCATION": ["redis://primary.example.com", "redis://replica.example.com"]},
    "replicas in one string": {**REDIS, "LOCATION": "redis://primary.example.com,redis://replica.example.com"},
    "replicas that Sentinel names": {
        **REDIS,
        "LOCATION": "redis://service/0",
        "OPTIONS": {"CLIENT_CLASS": "django_redis.client.SentinelClient", "socket_timeout": 1},
    },
    "small": {**REDIS, "OPTIONS": {"MAX_ENTRIES": 1000, "socket_timeout": 1}},
}


@pytest.mark.parametrize("cache", FORGETFUL.values(), ids=FORGETFUL)
def test_a_memory_of_revocations_in_a_cache_that_forgets_is_an_error(cache: Any) -> None:
    messages = found({"REVOCATIONS": {"ALIAS": "x"}, "REPLAY_CACHE": "x"}, x=cache)

    assert [message.level for message in messages] == [checks.ERROR] * 2
    assert ids(messages) == ["E045"] * 2
    assert sorted(message.msg.partition(" ")[0] for message in messages) == [
        "TOKEN_INTROSPECTION['REPLAY_CACHE']",
        "TOKEN_INTROSPECTION['REVOCATIONS']",
    ]
    assert ids(found({"REVOCATIONS": {}}, default=cache)) == ["E045"]


def test_a_cache_that_keeps_entries_until_they_expire_is_accepted() -> None:
    large = {"BACKEND": f"{DJANGO}db.DatabaseCache", "LOCATION": "t", "OPTIONS": {"MAX_ENTRIES": 100_000}}

    servers = ["redis://one.example.com", "redis://two.example.com"]
    options = {"CLIENT_CLASS": "django_redis.client.ShardClient", "socket_timeout": 1}
    shards = {**REDIS, "LOCATION": servers, "OPTIONS": options}

    for cache in (REDIS, large, shards):
        assert found({"REVOCATIONS": {}, "REPLAY_CACHE": "default"}, default=cache) == []


def test_the_default_of_a_new_project_is_an_error_of_the_deployment_alone() -> None:
    assert found({"ISSUER": ISSUER}, default=LOCAL) == []

    (message,) = found({"ISSUER": ISSUER}, deploy=True, default=LOCAL)
    assert (message.id, message.level) == (f"{TAG}.E046", checks.ERROR)
    assert message.msg == (
        "TOKEN_INTROSPECTION['REPLAY_CACHE'] is not set, and client assertions could be used twice:"
        " the cache 'default' is not shared with other processes."
    )


def test_what_nothing_uses_is_not_judged() -> None:
    assert found({}, deploy=True, default=LOCAL) == []


def test_eviction_that_cannot_be_known_is_a_warning_of_the_deployment() -> None:
    messages = found({"ISSUER": ISSUER, "REVOCATIONS": {"ALIAS": "x"}}, deploy=True, x=REDIS)

    assert ids(messages) == ["W056", "W056"]
    assert [message.level for message in messages] == [checks.WARNING] * 2
    assert "TOKEN_INTROSPECTION['REVOCATIONS'] relies on the cache 'x'" in str(messages)
    large = {"BACKEND": f"{DJANGO}db.DatabaseCache", "LOCATION": "t", "OPTIONS": {"MAX_ENTRIES": 10**6}}
    assert found({"REVOCATIONS": {"ALIAS": "x"}}, deploy=True, x=large) == []


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ({**REDIS, "OPTIONS": {}}, []),
        ({**REDIS, "OPTIONS": {"socket_timeout": None}}, ["W057"]),
        ({**REDIS, "OPTIONS": {"socket_timeout": 0.5}}, []),
        ({**REDIS, "OPTIONS": {"socket_timeout": None}, "LOCATION": "redis://x/1?socket_timeout=2"}, []),
        ({**REDIS, "OPTIONS": {"socket_timeout": None}, "LOCATION": ["redis://x/1"]}, ["W057"]),
        ({**REDIS, "OPTIONS": {"SOCKET_TIMEOUT": 2}}, []),
        ({**REDIS, "OPTIONS": {"CONNECTION_POOL_KWARGS": {"socket_timeout": None}}}, ["W057"]),
    ],
)
def test_a_redis_cache_that_may_hang_for_ever_is_found(cache: Any, said: list[str]) -> None:
    values = {"REVOCATIONS": {"ALIAS": "x"}}

    assert [each for each in ids(found(values, deploy=True, x=cache)) if each != "W056"] == said


def test_a_client_library_without_a_timeout_of_its_own_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_introspection.cache_properties._default_timeout", lambda: None)
    values = {"COUNTERS": {"ALIAS": "x"}}

    (message,) = found(values, deploy=True, x={**REDIS, "OPTIONS": {}})
    assert message.msg == "The cache 'x' (counters) has no socket_timeout: a server that hangs holds every request."
    assert (message.id, message.obj) == (f"{TAG}.W057", "CACHES['x']")


def test_the_cache_that_wakes_requests_for_the_feed_is_checked() -> None:
    (message,) = found({"REVOCATION_FEED": {"ALIAS": "x"}}, x={"BACKEND": "no.such.Cache"})

    assert message.id == f"{TAG}.E044"
    assert message.msg.startswith("The cache 'x' (the feed of revocations) cannot be imported")


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ({"BACKEND": "no.such.Cache"}, "cannot be imported (ModuleNotFoundError)"),
        ({"BACKEND": f"{DJANGO}memcached.PyLibMCCache", "LOCATION": "x:1"}, "needs the package pylibmc"),
        (REDIS, "needs the package redis"),
    ],
    ids=["no class", "no package", "no redis"],
)
def test_a_cache_that_cannot_be_used_is_an_error(cache: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_introspection.cache_properties.find_spec", lambda name: None)

    (message,) = found({"COUNTERS": {"ALIAS": "x"}}, default=FORGETFUL["database"], x=cache)

    assert (message.id, message.level, message.obj) == (f"{TAG}.E044", checks.ERROR, "CACHES['x']")
    assert said in message.msg


def test_a_stranger_with_ever_new_names_fills_a_bounded_part_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "BUCKETS", 16)
    for number in range(400):
        throttles.after_failure(InvalidClient(), f"nobody{number}", "203.0.113.1")

    assert 0 < len(counted.keys(caches["default"])) <= 2 * 16  # a period may end meanwhile


def test_the_failures_of_one_client_and_address_share_a_bucket() -> None:
    first = throttles.failures_key("orders", "203.0.113.1")

    assert first == throttles.failures_key("orders", "203.0.113.1")
    assert len({throttles.failures_key(f"client{number}", "203.0.113.1") for number in range(200)}) > 150
