"""`POST /oauth/leaked`: whoever holds a credential may end it, and learns nothing by it."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection import cache_calls, introspect, signals
from django_introspection.authorization_server.ending import LEAK
from django_introspection.authorization_server.issuing import add_secret
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import ClientSecret, GrantType, Token
from django_introspection.models.fields import now
from django_introspection.protocol import opaque
from django_introspection.protocol.opaque import TokenPrefix
from tests import endpoints, factories, jose
from tests.authorization_server.helpers import assert_refused
from tests.authorization_server.test_revoking import blocked, is_revoked, tombstones  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaked() -> Any:
    """The keywords of each signal `token_leaked`."""
    calls: list[dict[str, Any]] = []

    def receiver(signal: Any, sender: Any, **keywords: Any) -> None:
        calls.append(keywords)

    signals.token_leaked.connect(receiver)
    yield calls
    signals.token_leaked.disconnect(receiver)


@pytest.fixture
def holder() -> Any:
    return factories.RegistrationFactory(grant_types=[GrantType.REFRESH_TOKEN, GrantType.CLIENT_CREDENTIALS])


@pytest.fixture
def issued(holder: Any, user: Any) -> Any:
    return factories.TokenFactory(client=holder.client, user=user, refresh=True)


def report(*values: str, **kwargs: Any) -> Any:
    return endpoints.post("/oauth/leaked", {"token": list(values)}, **kwargs)


def assert_done(response: Any) -> None:
    assert (response.status_code, response.content) == (200, b"")
    assert response["Cache-Control"] == "no-store"


def live(issued: Any) -> int:
    return Token.objects.filter(grant_id=issued.token.grant_id, revoked_at=None).count()


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_reported_token_ends_with_its_grant(which: str, issued: Any, holder: Any, user: Any, leaked: Any) -> None:
    other = factories.TokenFactory(client=holder.client, user=user, refresh=True)

    assert_done(report(getattr(issued, which)))

    assert introspect(issued.access_token) is None
    assert live(issued) == 0
    assert set(Token.objects.filter(grant_id=issued.token.grant_id).values_list("revoked_by", flat=True)) == {LEAK}
    assert introspect(other.access_token), "other grants of the user live on"
    (leak,) = leaked
    assert leak["kind"] == which.removesuffix("_token")
    assert (leak["client"], leak["user"], leak["grant_id"]) == (holder.client, user, issued.token.grant_id)
    assert (leak["source"], leak["url"]) == ("report", "")
    assert issued.access_token not in repr(leak)


def test_a_reported_jwt_ends_although_its_signature_was_altered_never(settings: Any, leaked: Any) -> None:
    """Only a value whose signature is valid is a credential; the signed part alone is in many logs."""
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "SIGNING_KEYS": [{"KEY": jose.pem("ES256")}]}
    client = factories.RegistrationFactory(access_token_format="jwt").client
    token = factories.TokenFactory(client=client).access_token
    body, _, signature = token.rpartition(".")

    assert_done(report(f"{body}.{'A' * len(signature)}"))
    assert introspect(token)
    assert_done(report(token))
    assert introspect(token) is None
    assert len(leaked) == 1


def test_a_reported_client_secret_expires_at_once_and_alone(holder: Any, issued: Any, leaked: Any) -> None:
    second = add_secret(holder.client)
    form = {"grant_type": "client_credentials"}
    assert endpoints.post("/oauth/token", form, auth=holder).status_code == 200

    assert_done(report(holder.secret))

    assert_refused(endpoints.post("/oauth/token", form, auth=holder), 401, "invalid_client")
    assert endpoints.post("/oauth/token", form, auth=(holder.client, second)).status_code == 200
    assert introspect(issued.access_token)
    (leak,) = leaked
    assert (leak["kind"], leak["client"], leak["token"], leak["user"]) == ("client_secret", holder.client, None, None)
    assert_done(report(holder.secret))
    assert len(leaked) == 1, "a secret that has expired is no news"


def test_a_process_that_keeps_the_client_refuses_the_secret_too(
    settings: Any, issued: Any, resource_server: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "CLIENT_LOCAL_MAX_AGE": 60}
    for _ in range(2):
        assert endpoints.introspect(issued.access_token, auth=resource_server).json()["active"]

    assert_done(report(resource_server.secret))

    assert endpoints.introspect(issued.access_token, auth=resource_server).status_code == 401


def test_several_values_are_reported_at_once(holder: Any, issued: Any, user: Any, leaked: Any) -> None:
    other = factories.TokenFactory(client=holder.client, user=user)

    assert_done(report(issued.access_token, "unknown", other.access_token, holder.secret))

    assert introspect(issued.access_token) is introspect(other.access_token) is None
    assert sorted(leak["kind"] for leak in leaked) == ["access", "access", "client_secret"]


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} "])
def test_a_value_is_read_from_a_file_with_a_line_end(around: str, issued: Any) -> None:
    assert_done(report(around.format(issued.access_token)))

    assert live(issued) == 0


def test_both_tokens_of_a_grant_in_one_report_are_told_of_each(issued: Any, leaked: Any) -> None:
    assert_done(report(issued.access_token, issued.refresh_token))

    assert sorted(leak["kind"] for leak in leaked) == ["access", "refresh"]
    assert live(issued) == 0


UNKNOWN: dict[str, Any] = {
    "never issued": lambda issued: opaque.generate(opaque.ACCESS_TOKEN),
    "secret never issued": lambda issued: opaque.generate(opaque.CLIENT_SECRET),
    "malformed": lambda issued: issued.access_token[:-1],
    "other prefix": lambda issued: TokenPrefix("acme").generate(opaque.REFRESH_TOKEN),
    "control character": lambda issued: "a\x00b",
    "half a JWT": lambda issued: "eyJhbGciOiJFUzI1NiJ9.e30.",
    "the ID of a token": lambda issued: str(issued.token.pk),
    "long": lambda issued: "x" * 100_000,
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_nothing_is_learned_from_the_answer(kind: str, issued: Any, leaked: Any) -> None:
    unknown, known, ended = report(UNKNOWN[kind](issued)), report(issued.access_token), report(issued.access_token)

    assert_done(unknown)
    assert_done(known)
    assert_done(ended)
    assert dict(unknown.headers) == dict(known.headers) == dict(ended.headers)
    assert len(leaked) == 1


def test_an_expired_access_token_ends_nothing(issued: Any, leaked: Any) -> None:
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        assert_done(report(issued.access_token))

    assert live(issued) == 2
    assert leaked == []


def test_an_access_token_that_was_revoked_alone_ends_no_grant(issued: Any, holder: Any, leaked: Any) -> None:
    revoke_token(issued.token, by=holder.client)

    assert_done(report(issued.access_token))

    assert live(issued) == 1
    assert leaked == []


def test_a_used_refresh_token_ends_its_grant_like_its_second_use(issued: Any, holder: Any, leaked: Any) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": issued.refresh_token}
    renewed = endpoints.post("/oauth/token", form, auth=holder).json()

    assert_done(report(issued.refresh_token))

    assert introspect(renewed["access_token"]) is None
    assert [leak["kind"] for leak in leaked] == ["refresh"]


def test_what_was_exchanged_for_a_token_ends_with_it(issued: Any, leaked: Any) -> None:
    exchanged = factories.TokenFactory(client=factories.RegistrationFactory().client)
    Token.objects.filter(pk=exchanged.token.pk).update(predecessor=issued.token.pk)

    assert_done(report(issued.access_token))

    assert introspect(exchanged.access_token) is None


@pytest.mark.parametrize(
    ("form", "content_type", "status"),
    [
        ("", endpoints.FORM, 400),
        ("token=", endpoints.FORM, 400),
        ("tokens=a", endpoints.FORM, 400),
        ("token=%ff", endpoints.FORM, 400),
        ("token=a&x=1&x=2", endpoints.FORM, 400),
        ('{"token": "a"}', "application/json", 415),
        ("token=a&" * 101, endpoints.FORM, 400),
        ("token=" + "a" * 1024 * 1024, endpoints.FORM, 413),
    ],
)
def test_a_malformed_report_is_refused(form: str, content_type: str, status: int) -> None:
    assert_refused(endpoints.post("/oauth/leaked", form, content_type=content_type), status, "invalid_request")


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "options"])
def test_a_report_is_a_post(method: str) -> None:
    response = getattr(Browser(), method)("/oauth/leaked?token=x")

    assert response.status_code == 405
    assert response["Allow"] == "POST"


def test_a_value_in_the_url_is_not_read(issued: Any) -> None:
    assert endpoints.post(f"/oauth/leaked?token={issued.access_token}").status_code == 400
    assert introspect(issued.access_token)


@pytest.mark.parametrize("value", ["known", "unknown"])
def test_beyond_the_limit_every_value_gets_429_and_ends_all_the_same(
    value: str, settings: Any, issued: Any, leaked: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 3}}
    with time_machine.travel(now(), tick=False):
        assert_done(report("a", "b", "c"))

        response = report(issued.access_token if value == "known" else "d")
        elsewhere = report("e", headers={"X-Forwarded-For": "203.0.113.9"})

    assert_refused(response, 429, "temporarily_unavailable")
    assert int(response["Retry-After"]) > 0
    assert elsewhere.status_code == 429, "an address that anyone may claim does not count"
    assert (introspect(issued.access_token) is None) == (value == "known")


def test_a_known_value_is_counted_like_an_unknown_one(settings: Any, holder: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 1}}
    with time_machine.travel(now(), tick=False):
        assert_done(report(factories.TokenFactory(client=holder.client).access_token))

        assert report("unknown").status_code == 429


def test_the_cost_of_an_unknown_report_is_one_statement(issued: Any, django_assert_num_queries: Any) -> None:
    values = [opaque.generate(opaque.ACCESS_TOKEN) for _ in range(15)]
    with django_assert_num_queries(1):
        report(*values)
    with django_assert_num_queries(1):
        report(opaque.generate(opaque.CLIENT_SECRET))
    with django_assert_num_queries(0):
        report("dit_at_short")


@pytest.mark.skipif(connection.vendor == "mysql", reason="its plans have another form")
@pytest.mark.parametrize("kind", [opaque.ACCESS_TOKEN, opaque.CLIENT_SECRET])
def test_an_unknown_value_is_looked_for_by_an_index(kind: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        report(*(opaque.generate(kind) for _ in range(3)))
    (statement,) = captured.captured_queries
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if is_postgresql:  # it reads a table of a few rows as a whole, unless that is off
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{'EXPLAIN' if is_postgresql else 'EXPLAIN QUERY PLAN'} {statement['sql']}")
        steps = [step for row in cursor.fetchall() for step in row if isinstance(step, str)]

    assert any("digest=?" in step or "Index Cond: (digest = ANY" in step for step in steps)


@pytest.mark.django_db(transaction=True)
def test_without_the_cache_of_revocations_the_report_is_503_until_a_retry_succeeds(
    blocked: Path,  # noqa: F811
    leaked: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_calls, "PAUSE", 0)
    issued = factories.TokenFactory(refresh=True)

    assert_refused(report(issued.access_token), 503, "temporarily_unavailable", issued.access_token)
    assert live(issued) == 0
    assert len(leaked) == 1, "the signal does not wait for the cache"
    assert_refused(report(issued.access_token), 503, "temporarily_unavailable")
    blocked.unlink()
    assert_done(report(issued.access_token))
    assert is_revoked(issued.access_token)


def test_reports_are_counted_also_while_the_cache_of_revocations_is_down(
    blocked: Path,  # noqa: F811
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_calls, "PAUSE", 0)
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "THROTTLE": {"FAILURES": 1, "ALIAS": "counts"}}
    settings.CACHES = {**settings.CACHES, "counts": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    token = factories.TokenFactory().access_token
    with time_machine.travel(now(), tick=False):
        assert report(token).status_code == 503

        assert report(token).status_code == 429


def test_a_receiver_of_the_signal_that_fails_changes_no_answer(issued: Any) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError

    signals.token_leaked.connect(fail)
    try:
        assert_done(report(issued.access_token))
    finally:
        signals.token_leaked.disconnect(fail)
    assert live(issued) == 0


def test_without_the_database_the_report_is_503(issued: Any) -> None:
    def fail(execute: Any, sql: str, *arguments: Any) -> Any:
        raise DatabaseError(f"no answer to {sql}")

    with connection.execute_wrapper(fail):
        assert_refused(report(issued.access_token), 503, "temporarily_unavailable", issued.access_token)
    assert introspect(issued.access_token)


def test_the_security_log_names_the_leak_and_no_value(
    issued: Any, holder: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "django_introspection.security"):
        report(issued.access_token, holder.secret)

    lines = [record.getMessage() for record in caplog.records if "leaked" in record.getMessage()]
    names = f"client={holder.client.client_id} source=report url=''"
    assert f"credential leaked kind=access token={issued.token.pk} {names}" in lines
    assert f"credential leaked kind=client_secret token=None {names}" in lines
    assert not any(value in caplog.text for value in (issued.access_token, issued.refresh_token, holder.secret))


def test_without_its_urls_the_endpoint_does_not_exist(settings: Any, issued: Any) -> None:
    settings.ROOT_URLCONF = "tests.leaks.without_urls"

    assert report(issued.access_token).status_code == 404
    assert introspect(issued.access_token)


def test_a_deleted_client_secret_row_is_unknown(holder: Any, leaked: Any) -> None:
    ClientSecret.objects.all().delete()

    assert_done(report(holder.secret))
    assert leaked == []
