"""Guessing is counted and refused; whoever has the right credentials never notices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

from django_introspection.authorization_server import throttles
from django_introspection.conf import introspection_settings
from django_introspection.exceptions import InvalidSetting
from django_introspection.protocol import opaque
from tests import caches as test_caches
from tests import endpoints, factories
from tests.authorization_server.helpers import (
    ENDPOINTS,
    INACTIVE,
    assert_inactive,
    assert_refused,
    bearer,
    introspecting_client,
    whole,
)

FORM = {"grant_type": "client_credentials", "token": "unknown"}
START = datetime(2026, 5, 1, 12, 0, 20, tzinfo=UTC)
WRONG = "w" * 40


class RecordingCache(LocMemCache):
    """Note what is asked of a cache."""

    calls: list[tuple[str, str]] = []

    def add(self, key: str, *args: Any, **kwargs: Any) -> bool:
        self.calls.append(("add", key))
        return super().add(key, *args, **kwargs)

    def incr(self, key: str, *args: Any, **kwargs: Any) -> int:
        self.calls.append(("incr", key))
        return super().incr(key, *args, **kwargs)

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(("get", key))
        return super().get(key, *args, **kwargs)


class BrokenCache(BaseCache):
    """Fail as a cache does whose server is gone."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, key: str, *args: Any, **kwargs: Any) -> bool:
        raise ConnectionError(f"no answer about {key}")


class ForgetfulCache(LocMemCache):
    """Lose every entry between two calls, as a full cache may."""

    def add(self, key: str, *args: Any, **kwargs: Any) -> bool:
        return False


@pytest.fixture
def throttle(settings: Any) -> Callable[..., None]:
    """Set THROTTLE; three failures are enough by default."""

    def configure(**entries: Any) -> None:
        values = {"FAILURES": 3, **entries}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": values}

    configure()
    return configure


@pytest.fixture
def use_cache(settings: Any) -> Callable[[type[BaseCache]], None]:
    def use(cache: type[BaseCache]) -> None:
        settings.CACHES = {"default": {"BACKEND": f"{__name__}.{cache.__name__}", "LOCATION": cache.__name__}}

    return use


@pytest.fixture
def calls(use_cache: Any) -> list[tuple[str, str]]:
    use_cache(RecordingCache)
    test_caches.empty()
    RecordingCache.calls.clear()
    return RecordingCache.calls


def fail(path: str = "/oauth/introspect", client_id: str = "known", **kwargs: Any) -> Any:
    return endpoints.post(path, FORM, auth=endpoints.basic(client_id, WRONG), **kwargs)


def statuses(times: int, **kwargs: Any) -> list[int]:
    return [fail(**kwargs).status_code for _ in range(times)]


@pytest.mark.requirement("7662-4-i", "6749-2.3.1-g", "7009-5-a", "6585-4-a")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_beyond_the_limit_a_failure_is_429_with_retry_after_and_the_right_secret_works(
    throttle: Any, db: None, time_machine: Any, path: str
) -> None:
    time_machine.move_to(START, tick=False)
    known = factories.RegistrationFactory(client_id="known")

    assert statuses(3, path=path) == [401, 401, 401]
    refused = fail(path=path)

    assert_refused(refused, 429, "temporarily_unavailable", WRONG, "known")
    assert refused["Retry-After"] == "40"
    assert endpoints.post(path, FORM, auth=known).status_code == 200
    assert fail(path=path).status_code == 429


@pytest.mark.requirement("6749-2.3.1-g")
def test_failures_are_counted_over_all_endpoints_together(throttle: Any, db: None) -> None:
    assert [fail(path=path).status_code for path in (*ENDPOINTS, *ENDPOINTS)] == [401] * 3 + [429] * 3


def test_by_default_twenty_failures_a_minute_are_taken(db: None) -> None:
    assert statuses(21) == [401] * 20 + [429]


def post_secret() -> Any:
    return endpoints.post("/oauth/introspect", {**FORM, "client_id": "known", "client_secret": WRONG})


@pytest.mark.requirement("6749-2.3.1-g", "7662-4-i")
@pytest.mark.parametrize(
    "attempt",
    [
        post_secret,
        lambda: endpoints.introspect("x", auth="Basic !!"),
        lambda: endpoints.introspect("x", auth="Bearer a b"),
        lambda: endpoints.introspect("x", auth="Bearer nonsense"),
        lambda: endpoints.introspect("x", auth=f"Bearer {opaque.generate(opaque.ACCESS_TOKEN)}"),
        lambda: endpoints.post("/oauth/token", {"client_assertion": "x", "client_assertion_type": "y"}),
    ],
    ids=["posted", "malformed", "malformed bearer", "bearer", "unknown bearer", "assertion"],
)
def test_every_way_to_fail_is_counted(throttle: Any, db: None, attempt: Any) -> None:
    assert [attempt().status_code for _ in range(4)] == [401, 401, 401, 429]


def test_a_bearer_caller_that_lacks_the_scope_is_counted_by_its_client(throttle: Any, machine: Any) -> None:
    weak = factories.TokenFactory(client=machine.client, audience=["https://auth.example.com"]).access_token

    assert [endpoints.introspect("x", auth=f"Bearer {weak}").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert endpoints.introspect("x", auth="Bearer nonsense").status_code == 401


def test_asking_how_to_authenticate_is_no_failure_to_count(throttle: Any, resource_server: Any, calls: Any) -> None:
    """Some clients send their credentials after a first 401 alone; one that never comes would lock them out."""
    for _ in range(9):
        assert endpoints.introspect("x").status_code == 401
        assert endpoints.introspect("x", auth=resource_server).status_code == 200

    assert {key for _, key in calls if "throttle" in key} == {key for _, key in calls}
    assert len([name for name, _ in calls if name == "add"]) == 9, "the inactive answers alone"


def test_failures_of_one_client_or_address_are_not_those_of_another(throttle: Any, db: None, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "TRUSTED_PROXIES": ["127.0.0.1"]}
    statuses(4)

    assert fail(client_id="other").status_code == 401
    assert fail(headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 401
    assert fail().status_code == 429


def test_a_header_that_nobody_vouches_for_does_not_start_a_new_count(throttle: Any, db: None) -> None:
    seen = [fail(headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(4)]

    assert seen == [401, 401, 401, 429]


def test_a_new_period_starts_from_nothing(throttle: Any, db: None, time_machine: Any) -> None:
    time_machine.move_to(START, tick=False)
    statuses(4)
    time_machine.move_to(START + timedelta(seconds=39), tick=False)
    last = fail()
    time_machine.move_to(START + timedelta(seconds=40), tick=False)

    assert (last.status_code, last["Retry-After"]) == (429, "1")
    assert statuses(4) == [401, 401, 401, 429]


def test_an_unknown_client_and_a_wrong_secret_are_throttled_alike(throttle: Any, db: None, time_machine: Any) -> None:
    time_machine.move_to(START, tick=False)
    factories.RegistrationFactory(client_id="known")

    answers = {name: [whole(fail(client_id=name)) for _ in range(5)] for name in ("known", "nobody")}

    assert answers["known"] == answers["nobody"]


def test_parallel_failures_are_all_counted(throttle: Any) -> None:
    throttle(FAILURES=10**6)

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: throttles._count(throttles.failures_key("x", "y")), range(200)))

    assert sorted(counts) == list(range(1, 201))


def test_a_failure_costs_two_operations_and_success_none(throttle: Any, db: None, calls: Any) -> None:
    known = factories.ResourceServerFactory(client_id="known")
    token = factories.TokenFactory().access_token
    for _ in range(3):
        assert endpoints.introspect(token, auth=known).json()["active"] is True
    assert calls == []

    fail()
    fail()

    assert [name for name, _ in calls] == ["add", "add", "incr"]


def test_no_key_says_who_or_from_where(throttle: Any, db: None, calls: Any) -> None:
    fail(client_id="somebody")
    endpoints.introspect("secret-token", auth=factories.ResourceServerFactory(client_id="orders"))

    assert len(calls) == 2
    for _, key in calls:
        assert key.startswith("introspection:throttle:")
        for value in ("somebody", "127.0.0.1", WRONG, "orders", "secret-token"):
            assert value not in key


def test_a_cache_that_is_down_opens_nothing_and_closes_nothing(
    throttle: Any, db: None, use_cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    throttle(INACTIVE_LIMIT=1, INACTIVE_SIGNAL=1)
    known = factories.ResourceServerFactory(client_id="known")
    use_cache(BrokenCache)

    assert statuses(6) == [401] * 6
    assert [endpoints.introspect("x", auth=known).content for _ in range(3)] == [INACTIVE] * 3
    assert endpoints.introspect(factories.TokenFactory().access_token, auth=known).json()["active"] is True
    lines = [record.getMessage() for record in caplog.records if record.name == "django_introspection"]
    assert lines == ["the cache of throttle counts does not answer: ConnectionError"]
    assert {record.levelno for record in caplog.records if record.name == "django_introspection"} == {logging.WARNING}


def test_a_count_that_is_lost_between_two_calls_is_no_error(throttle: Any, db: None, use_cache: Any) -> None:
    use_cache(ForgetfulCache)

    assert statuses(5) == [401] * 5


def test_the_cache_that_counts_can_be_chosen(throttle: Any, db: None, settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": f"{__name__}.BrokenCache"},
        "counts": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": __name__},
    }
    test_caches.empty("counts")
    throttle(ALIAS="counts")

    assert statuses(4) == [401, 401, 401, 429]


@pytest.fixture
def suspected(connect: Any) -> list[tuple[Any, int]]:
    told: list[tuple[Any, int]] = []
    connect("token_scanning_suspected", lambda caller, count, **_: told.append((caller, count)))
    return told


def ask(times: int, auth: Any) -> list[Any]:
    return [endpoints.introspect(f"guess-{number}", auth=auth) for number in range(times)]


@pytest.mark.requirement("7662-4-i")
def test_very_many_inactive_answers_are_told_once_in_a_period(
    throttle: Any, resource_server: Any, suspected: Any, time_machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    throttle(INACTIVE_SIGNAL=3)
    time_machine.move_to(START, tick=False)

    ask(2, resource_server)
    assert suspected == []
    for response in ask(5, resource_server):
        assert_inactive(response)
    assert suspected == [(resource_server.client, 3)]
    time_machine.move_to(START + timedelta(minutes=1), tick=False)
    ask(3, resource_server)

    assert suspected == [(resource_server.client, 3)] * 2
    line = f"token scanning suspected caller={resource_server.client.client_id} inactive answers=3"
    assert [record.getMessage() for record in caplog.records if "scanning" in record.getMessage()] == [line] * 2


def test_a_receiver_that_raises_breaks_no_answer(throttle: Any, resource_server: Any, connect: Any) -> None:
    throttle(INACTIVE_SIGNAL=1)
    connect("token_scanning_suspected", lambda **_: 1 / 0)

    assert_inactive(endpoints.introspect("unknown", auth=resource_server))


@pytest.mark.requirement("7662-4-i", "6585-4-a")
def test_beyond_a_limit_an_inactive_answer_is_429_and_an_active_one_never(
    throttle: Any, resource_server: Any, user: Any, time_machine: Any
) -> None:
    throttle(INACTIVE_LIMIT=2)
    time_machine.move_to(START, tick=False)
    active = factories.TokenFactory().access_token
    elsewhere = factories.TokenFactory(audience=["urn:elsewhere"]).access_token
    other = factories.ResourceServerFactory()

    assert [response.status_code for response in ask(3, resource_server)] == [200, 200, 429]
    refused = endpoints.introspect(elsewhere, auth=resource_server)

    assert_refused(refused, 429, "temporarily_unavailable", elsewhere)
    assert refused["Retry-After"] == "40"
    assert whole(refused) == whole(endpoints.introspect("unknown", auth=resource_server))
    assert endpoints.introspect(active, auth=resource_server).json()["active"] is True
    assert_inactive(endpoints.introspect("unknown", auth=other))


def test_inactive_answers_have_no_limit_by_default(throttle: Any, resource_server: Any) -> None:
    throttle(INACTIVE_SIGNAL=1)

    assert {response.content for response in ask(30, resource_server)} == {INACTIVE}


def test_a_bearer_caller_is_counted_as_its_client(throttle: Any, db: None) -> None:
    caller = introspecting_client()
    throttle(INACTIVE_LIMIT=2)

    seen = [endpoints.introspect("x", auth=auth).status_code for auth in (caller, bearer(caller), caller)]

    assert seen == [200, 200, 429]


@pytest.mark.parametrize(
    ("throttle_setting", "place"),
    [
        (None, "['THROTTLE']"),
        ([], "['THROTTLE']"),
        ({"FAILURE": 1}, "['THROTTLE']"),
        ({1: 1}, "['THROTTLE']"),
        ({"FAILURES": 0}, "['THROTTLE']['FAILURES']"),
        ({"FAILURES": True}, "['THROTTLE']['FAILURES']"),
        ({"FAILURES": None}, "['THROTTLE']['FAILURES']"),
        ({"PERIOD": 0.5}, "['THROTTLE']['PERIOD']"),
        ({"PERIOD": "60"}, "['THROTTLE']['PERIOD']"),
        ({"INACTIVE_SIGNAL": 0}, "['THROTTLE']['INACTIVE_SIGNAL']"),
        ({"INACTIVE_LIMIT": 0}, "['THROTTLE']['INACTIVE_LIMIT']"),
        ({"ALIAS": "none"}, "['THROTTLE']['ALIAS']"),
        ({"ALIAS": []}, "['THROTTLE']['ALIAS']"),
    ],
)
def test_a_wrong_value_is_an_invalid_setting_that_names_its_place(
    settings: Any, throttle_setting: Any, place: str
) -> None:
    settings.TOKEN_INTROSPECTION = {"THROTTLE": throttle_setting}

    with pytest.raises(InvalidSetting) as caught:
        _ = introspection_settings.THROTTLE
    assert str(caught.value).startswith(f"TOKEN_INTROSPECTION{place} ")


def test_what_is_not_set_has_its_default(settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"THROTTLE": {"PERIOD": 5}}

    chosen = introspection_settings.THROTTLE
    assert (chosen.FAILURES, chosen.PERIOD, chosen.ALIAS) == (20, 5, "default")
    assert (chosen.INACTIVE_SIGNAL, chosen.INACTIVE_LIMIT) == (1000, None)
