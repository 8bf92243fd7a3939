"""Django's database cache inside the transaction of a request: ATOMIC_REQUESTS and blocks of `atomic()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client as Browser
from django.test import override_settings
from django.urls import path
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from django_introspection.authentication import IntrospectionAuthentication
from django_introspection.check_messages import TAG
from tests import factories, jose
from tests.misbehaving.server import remote_settings
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

TABLE = "used_proofs"
DATABASE_CACHE = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": TABLE,
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
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


plain_view = Orders.as_view()
urlpatterns = [
    path("orders", Orders.as_view()),
    path("outside", transaction.non_atomic_requests(Orders.as_view())),
    path("inside", transaction.atomic(plain_view)),
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


@pytest.mark.django_db
@pytest.mark.usefixtures("database_cache")
def test_the_transaction_of_a_test_case_is_none_of_a_request() -> None:
    assert statuses("/orders", "", "") == [200, 401]
