"""Django's database cache inside the transaction of a request: ATOMIC_REQUESTS and blocks of `atomic()`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client as Browser
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection import token_backends
from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.backends.diagnosis import Severity
from django_introspection.cache_calls import CacheCalls
from django_introspection.check_messages import TAG
from django_introspection.contrib.issuers.models import TrustedIssuer
from django_introspection.contrib.issuers.table import IssuerTable
from django_introspection.contrib.right_secrets import RightSecrets
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.management.commands.introspection_doctor import everything
from django_introspection.models import Token
from django_introspection.models.verified_secret import VerifiedSecret
from tests import factories, jose
from tests.authorization_server.helpers import without_table
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

TABLE = "used_proofs"
DATABASE_CACHE = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": TABLE,
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
NEEDS_TRANSACTION = pytest.mark.skipif(
    connection.vendor == "mysql", reason="the table that is made there ends the transaction of the test"
)
PROJECT = {**TOKEN_INTROSPECTION, "REPLAY_CACHE": "database"}


class DPoP(IntrospectionAuthentication):
    schemes = ("DPoP",)


class Orders(APIView):
    """A view that refuses what it is told to refuse."""

    authentication_classes = (DPoP,)

    def get(self, request: Any) -> Response:
        if "fail" in request.GET:
            raise ValidationError
        return Response()


class Queries(APIView):
    """A view that asks the database."""

    authentication_classes = (IntrospectionAuthentication,)

    def get(self, request: Any) -> Response:
        return Response(Token.objects.count())


plain_view = Orders.as_view()
urlpatterns = [
    path("orders", Orders.as_view()),
    path("outside", transaction.non_atomic_requests(Orders.as_view())),
    path("inside", transaction.atomic(plain_view)),
    path("queries", Queries.as_view()),
]


@pytest.fixture
def database_cache(settings: Any) -> Iterator[None]:
    settings.CACHES = {**settings.CACHES, "database": DATABASE_CACHE}
    call_command("createcachetable", "--database", "default")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {TABLE}")


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def proof_headers(path: str = "/orders") -> dict[str, str]:
    token = factories.TokenFactory(members={"cnf": {"jkt": jose.thumbprint("ES256", "one")}}).access_token
    proof = jose.proof(token, f"https://api.example.com{path}")
    return {"Authorization": f"DPoP {token}", "DPoP": proof}


def statuses(path: str, *queries: str) -> list[int]:
    """Send one proof with each query in turn."""
    headers, browser = proof_headers(path), Browser(headers={})
    with override_settings(ROOT_URLCONF=__name__, TOKEN_INTROSPECTION=PROJECT):
        return [browser.get(f"{path}?{query}", headers=headers).status_code for query in queries]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_cache")
@pytest.mark.requirement("9449-11.1-b")
class TestUsedProofs:
    def test_a_proof_opens_no_second_request_when_the_first_one_fails(self, atomic_requests: None) -> None:
        assert statuses("/orders", "fail", "") == [503, 503]

    def test_nor_in_a_view_that_is_a_transaction_itself(self) -> None:
        assert statuses("/inside", "fail", "") == [503, 503]

    def test_a_view_outside_of_the_transaction_uses_each_proof_once(self, atomic_requests: None) -> None:
        assert statuses("/outside", "fail", "") == [400, 401]

    def test_the_log_names_the_reason_and_no_other_view_pays_a_pause(
        self, atomic_requests: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert statuses("/orders", "") == [503]
        assert statuses("/outside", "") == [200]

        assert any("used proofs" in line and "ATOMIC_REQUESTS" in line for line in caplog.messages)


@pytest.fixture
def remote_answers(settings: Any) -> Iterator[MisbehavingServer]:
    """A server whose active answers are kept in a database cache without a table: createcachetable was forgotten."""
    settings.CACHES = {**settings.CACHES, "database": {**DATABASE_CACHE, "LOCATION": "no_such_table"}}
    members = {"active": True, "token_type": "Bearer", "aud": AUDIENCE, "sub": "1"}
    with MisbehavingServer("status", code=200, content=json.dumps(members).encode()) as server:
        settings.TOKEN_INTROSPECTION = {"BACKENDS": remote(server.url)}
        settings.ROOT_URLCONF = __name__
        yield server


@pytest.mark.django_db(transaction=True)
def test_a_database_cache_that_fails_leaves_the_transaction_of_the_view_usable(
    remote_answers: MisbehavingServer, atomic_requests: None
) -> None:
    statuses = [Browser().get("/queries", headers={"Authorization": "Bearer abc"}).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert len(remote_answers.requests) == 2


@pytest.mark.django_db(transaction=True)
def test_a_purge_that_fails_leaves_the_transaction_of_its_caller_usable(remote_answers: MisbehavingServer) -> None:
    for token in (None, "abc"):
        with transaction.atomic():
            with pytest.raises(IntrospectionUnavailable):
                token_backends["default"].purge(token)

            assert Token.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_table_of_verified_secrets_leaves_it_usable_as_well() -> None:
    secrets = RightSecrets()
    with without_table(VerifiedSecret), transaction.atomic():
        assert secrets.find(b"a" * 32) is False
        secrets.remember(b"a" * 32)

        assert Token.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_table_of_trusted_issuers_leaves_it_usable_as_well() -> None:
    with without_table(TrustedIssuer), transaction.atomic():
        with pytest.raises(IntrospectionUnavailable):
            IssuerTable()("https://auth.example.com")

        assert Token.objects.count() == 0


@NEEDS_TRANSACTION
@pytest.mark.django_db
@pytest.mark.usefixtures("database_cache")
def test_a_call_is_a_savepoint_in_a_transaction_alone(settings: Any) -> None:
    calls = CacheCalls("tests")
    with CaptureQueriesContext(connection) as captured:
        calls.make("database", "get", "a")
        calls.make("default", "get", "a")

    assert [query["sql"].partition(" ")[0] for query in captured] == ["SAVEPOINT", "SELECT", "RELEASE"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("database_cache")
def test_a_call_outside_of_a_transaction_costs_what_the_cache_costs() -> None:
    calls = CacheCalls("tests")
    with CaptureQueriesContext(connection) as captured:
        calls.make("database", "get", "a")

    assert [query["sql"].partition(" ")[0] for query in captured] == ["SELECT"]


@pytest.mark.django_db(transaction=True)
def test_the_doctor_names_the_command_that_makes_the_table(
    remote_answers: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"seen": [], "revoked": False}  # by the other process, which has the settings of the module alone
    monkeypatch.setattr("django_introspection.management.caches._other_process", lambda wish: found)

    (finding,) = [each.finding for each in everything() if each.about == "caches" and "'database'" in each.finding.what]

    assert finding.severity == Severity.ERROR
    assert finding.what == "the cache 'database' (answers of default) has no table in the database 'default'"
    assert finding.mend == "Run manage.py createcachetable --database default."


def messages(**values: Any) -> list[checks.CheckMessage]:
    with override_settings(ROOT_URLCONF=__name__, TOKEN_INTROSPECTION={**TOKEN_INTROSPECTION, **values}):
        found = checks.run_checks(tags=[TAG])
    return [message for message in found if str(message.id)[-4:] in ("E048", "W058")]


def remote(url: str, **cache: Any) -> dict[str, Any]:
    """Return BACKENDS for a server whose answers are kept in the database cache."""
    (entry,) = remote_settings(url, audience=AUDIENCE)["BACKENDS"].values()
    return {"default": {**entry, "CACHE": {"ALIAS": "database", **cache}}}


@pytest.fixture
def named(settings: Any) -> None:
    settings.CACHES = {**settings.CACHES, "database": DATABASE_CACHE}


@pytest.mark.usefixtures("named")
def test_used_proofs_that_an_error_would_undo_are_an_error(atomic_requests: None) -> None:
    (message,) = messages(REPLAY_CACHE="database")

    assert (message.id, message.level) == (f"{TAG}.E048", checks.ERROR)
    assert message.msg == (
        "TOKEN_INTROSPECTION['REPLAY_CACHE'] must not use the cache 'database': its database 'default' has"
        " ATOMIC_REQUESTS."
    )
    assert messages() == []


@pytest.mark.usefixtures("named")
def test_a_database_cache_without_atomic_requests_is_accepted() -> None:
    assert messages(REPLAY_CACHE="database", COUNTERS={"ALIAS": "database"}) == []


@pytest.mark.usefixtures("named", "atomic_requests")
def test_the_default_cache_is_checked_as_well(settings: Any) -> None:
    settings.CACHES = {"default": DATABASE_CACHE}

    assert [message.id for message in messages()] == [f"{TAG}.E048"]


@pytest.mark.usefixtures("named", "atomic_requests")
def test_the_paths_of_the_middleware_are_outside_of_the_transaction(settings: Any) -> None:
    paths = {"/api/": {"SCHEMES": ["DPoP"]}}
    with override_settings(ROOT_URLCONF="tests.urls"):
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "REPLAY_CACHE": "database", "PROTECTED_PATHS": paths}
        found = checks.run_checks(tags=[TAG])

    assert not [message for message in found if message.id == f"{TAG}.E048"]


@pytest.mark.usefixtures("named", "atomic_requests")
def test_answers_and_counts_that_an_error_would_undo_are_a_warning() -> None:
    found = messages(
        BACKENDS=remote("https://auth.example.com/introspect"),
        COUNTERS={"ALIAS": "database"},
        THROTTLE={"ALIAS": "database"},
    )

    assert {(message.id, message.obj) for message in found} == {(f"{TAG}.W058", "CACHES['database']")}
    assert [message.msg.partition(" writes")[0] for message in found] == [
        "The cache 'database' (answers of default)",
        "The cache 'database' (counters)",
    ]


@NEEDS_TRANSACTION
@pytest.mark.django_db
@pytest.mark.usefixtures("database_cache")
def test_the_transaction_of_a_test_case_is_none_of_a_request() -> None:
    assert statuses("/orders", "", "") == [200, 401]
