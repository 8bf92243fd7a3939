"""The table of trusted issuers: what operators change counts, and costs no query for each token."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_introspection import aintrospect, introspect, token_backends
from django_introspection.backends import refreshed
from django_introspection.backends.refreshed import KEPT_FOR
from django_introspection.contrib.issuers import find
from django_introspection.contrib.issuers.entry import entry_of
from django_introspection.contrib.issuers.models import TrustedIssuer
from django_introspection.exceptions import IntrospectionUnavailable, InvalidBackend
from tests.backends.issuers import JWKS, access_token, jwt_settings, public, publish
from tests.misbehaving.server import CLIENT_ID, CLIENT_SECRET, MisbehavingServer
from tests.settings import AUDIENCE

CALLS = pytest.mark.parametrize("call", [introspect, async_to_sync(aintrospect)], ids=["sync", "async"])
PATH = "django_introspection.contrib.issuers.find"
STRANGER = "https://stranger.example"
SHOP = "https://id.example/realms/shop"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(refreshed, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def _routing(settings: Any, db: None) -> None:
    settings.TOKEN_INTROSPECTION = routing()


def routing(**others: Any) -> dict[str, Any]:
    options = {"issuers": PATH, "audience": AUDIENCE}
    entry = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
    return {"BACKENDS": {"default": entry, **others}}


@pytest.fixture
def alpha() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        publish(server, public())
        yield server


@pytest.fixture
def beta() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        publish(server, public("two"))
        yield server


@CALLS
def test_two_issuers_appear_change_their_keys_and_vanish(
    call: Any, alpha: MisbehavingServer, beta: MisbehavingServer
) -> None:
    first, second = access_token(alpha.origin), access_token(beta.origin, name="two")
    assert [call(first), call(second)] == [None, None]

    row = TrustedIssuer.objects.create(issuer=alpha.origin)
    TrustedIssuer.objects.create(issuer=beta.origin)
    assert call(first)["iss"] == alpha.origin
    assert call(second)["iss"] == beta.origin

    publish(alpha, public("new"))
    row.options = {"algorithms": ["ES256"]}
    row.save()
    assert call(access_token(alpha.origin, name="new"))
    assert call(first) is None

    row.is_active = False
    row.save()
    TrustedIssuer.objects.get(issuer=beta.origin).delete()
    assert [call(access_token(alpha.origin, name="new")), call(second)] == [None, None]


def selects(queries: CaptureQueriesContext) -> int:
    """Count the queries without the savepoints around them, which are there in the transaction of a test."""
    return sum(query["sql"].startswith("SELECT") for query in queries)


@CALLS
def test_tokens_of_strangers_cost_one_query_in_five_seconds(call: Any, alpha: MisbehavingServer, clock: Clock) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    token = access_token(alpha.origin)
    strangers = [access_token(f"{STRANGER}/{number}") for number in range(30)]

    with CaptureQueriesContext(connection) as queries:
        for _ in range(2):
            assert call(token)
            assert not any(call(stranger) for stranger in strangers)
    assert selects(queries) == 1

    clock.now += KEPT_FOR
    with CaptureQueriesContext(connection) as queries:
        assert call(token)
        assert not any(call(stranger) for stranger in strangers)
    assert selects(queries) == 1


def test_a_change_that_another_process_makes_counts_within_ten_seconds(alpha: MisbehavingServer, clock: Clock) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    token = access_token(alpha.origin)
    assert introspect(token)
    clock.now += KEPT_FOR - 1
    assert introspect(access_token(STRANGER)) is None

    TrustedIssuer.objects.update(is_active=False)  # no signal, as from another process
    clock.now += 1
    assert introspect(token) is None


@CALLS
def test_a_database_that_is_down_is_an_outage_for_unknown_issuers_alone(
    call: Any, alpha: MisbehavingServer, clock: Clock
) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    token = access_token(alpha.origin)
    assert call(token)
    assert call(access_token(STRANGER)) is None

    def fail(*_: Any) -> Any:
        raise OperationalError("password=secret")

    clock.now += KEPT_FOR
    with connection.execute_wrapper(fail):
        assert call(token)
        for _ in range(3):
            with pytest.raises(IntrospectionUnavailable, match=r"cannot be read: OperationalError$"):
                call(access_token(STRANGER))
    clock.now += KEPT_FOR
    assert call(access_token(STRANGER)) is None


def test_an_introspected_issuer_gets_its_secret_by_reference(
    alpha: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock, caplog: Any
) -> None:
    alpha.behave("active", aud=AUDIENCE)
    secret = tmp_path / "trusted_issuer_alpha"
    secret.write_text(f"{CLIENT_SECRET}\n")
    row = TrustedIssuer(
        issuer=alpha.origin,
        backend="remote",
        options={
            "introspection_url": alpha.url,
            "client_id": CLIENT_ID,
            "client_secret": {"FILE": str(secret)},
        },
        cache={"MAX_AGE": 60},
    )
    row.full_clean()
    row.save()
    assert introspect(access_token(alpha.origin))
    assert introspect(access_token(alpha.origin))
    sent = alpha.requests[-1].headers["Authorization"]
    monkeypatch.setenv("TRUSTED_ISSUER_ALPHA", CLIENT_SECRET)
    row.options["client_secret"] = {"ENV": "TRUSTED_ISSUER_ALPHA"}
    row.full_clean()
    row.save()
    token_backends["default"].purge()
    assert introspect(access_token(alpha.origin))
    assert alpha.requests[-1].headers["Authorization"] == sent

    monkeypatch.delenv("TRUSTED_ISSUER_ALPHA")
    clock.now += KEPT_FOR
    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(alpha.origin))
    assert "client_secret: the variable that 'ENV' names is not set." in caplog.text
    assert CLIENT_SECRET not in caplog.text


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a secret in clear": ({"client_secret": "hidden-value"}, "client_secret must be a reference such as"),
    "a token in clear": ({"bearer_token": "hidden-value"}, "bearer_token must be a reference such as"),
    "a key in clear": ({"private_key": {"KEY": "hidden-value"}}, "private_key must name 'ENV' or 'FILE'"),
    "a proxy with credentials": ({"proxy": "http://a:hidden-value@p.example"}, "proxy must not contain credentials"),
    "another variable": ({"client_secret": {"ENV": "SECRET_KEY"}}, "whose name begins with TRUSTED_ISSUER_"),
    "another file": ({"client_secret": {"FILE": "/etc/passwd"}}, "whose name begins with TRUSTED_ISSUER_"),
    "a path into another directory": (
        {"client_secret": {"FILE": "/run/trusted_issuer_a/../../etc/passwd"}},
        "whose name begins with TRUSTED_ISSUER_",
    ),
    "the key of this server": ({"private_key": {"FILE": "/etc/signing-key.pem"}}, "begins with TRUSTED_ISSUER_"),
    "a header from elsewhere": ({"headers": {"X-Key": {"ENV": "HOME"}}}, "begins with TRUSTED_ISSUER_"),
    "two places": ({"client_secret": {"ENV": "TRUSTED_ISSUER_A", "FILE": "b"}}, "either 'ENV' or 'FILE'"),
    "an issuer of its own": ({"issuer": STRANGER}, "options must not have 'issuer'"),
    "a list": ([], "options must be a JSON object."),  # type: ignore[dict-item]
    "an unknown option": ({"jwksuri": ""}, "has unknown keys: 'jwksuri' (did you mean 'jwks_uri'?)"),
    "another server": ({"then_ask": "partner"}, "['OPTIONS']['then_ask'] must"),
}


@pytest.mark.parametrize(("options", "problem"), WRONG.values(), ids=WRONG)
def test_options_that_are_wrong_are_refused_with_a_clear_message(options: Any, problem: str, settings: Any) -> None:
    row = TrustedIssuer(issuer=SHOP, options=options)

    with pytest.raises(ValidationError) as refused:
        row.full_clean()
    text = " ".join(refused.value.messages)
    assert problem in text
    assert "hidden-value" not in text
    with pytest.raises(InvalidBackend) as unusable:
        token_backends["default"].looked_up.make(SHOP, entry_of("jwt", options, None))  # type: ignore[attr-defined]
    assert problem in str(unusable.value), "a row that was written past the form is refused in the same words"


ISSUERS = {
    "no URL": "shop",
    "query": f"{SHOP}?a",
    "the same in another spelling": "https://ID.example/realms/shop/",
    "that of an alias": "https://partner.example",
    "twice": "https://id.example/realms/shop",
}


@pytest.mark.parametrize("issuer", ISSUERS.values(), ids=ISSUERS)
def test_an_issuer_that_is_wrong_or_there_already_is_refused(issuer: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = routing(partner=jwt_settings("https://partner.example"))
    TrustedIssuer.objects.create(issuer=SHOP)

    with pytest.raises(ValidationError):
        TrustedIssuer(issuer=issuer).full_clean()


def test_a_row_that_is_wrong_is_an_outage_of_its_issuer_alone(alpha: MisbehavingServer, caplog: Any) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    TrustedIssuer.objects.create(issuer=SHOP, options={"client_secret": "hidden-value"})

    with pytest.raises(IntrospectionUnavailable):
        introspect(access_token(SHOP))
    assert introspect(access_token(alpha.origin))
    assert "client_secret must be a reference" in caplog.text
    assert "hidden-value" not in caplog.text
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert [(message.id, str(message.obj)) for message in found] == [("introspection.E060", SHOP)]
    assert "hidden-value" not in str(found)
    row = TrustedIssuer.objects.get(issuer=SHOP)
    row.is_active = False
    with pytest.raises(ValidationError):
        row.full_clean()


def test_a_broken_row_can_be_made_inactive(settings: Any) -> None:
    row = TrustedIssuer(issuer=SHOP, options={"client_secret": {"ENV": "TRUSTED_ISSUER_GONE"}}, backend="remote")
    with pytest.raises(ValidationError):
        row.full_clean()
    row.is_active = False
    row.full_clean()


def test_a_table_that_nothing_reads_is_a_warning(settings: Any) -> None:
    TrustedIssuer.objects.create(issuer=SHOP)
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": jwt_settings("https://other.example")}}

    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert [message.id for message in found] == ["introspection.W060", "introspection.E060"]


def test_the_app_must_be_installed(settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if "contrib.issuers" not in app]
    settings.TOKEN_INTROSPECTION = routing()

    with pytest.raises(InvalidBackend, match=r"needs 'django_introspection.contrib.issuers' in INSTALLED_APPS"):
        token_backends["default"]


@pytest.mark.django_db(transaction=True)
def test_threads_share_one_query_and_a_commit_counts_at_once(database_url: str, alpha: MisbehavingServer) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    token, queries, together = access_token(alpha.origin), [], threading.Barrier(4)

    def ask(_: int) -> Any:
        def note(execute: Any, *arguments: Any) -> Any:
            queries.append(arguments[0])
            return execute(*arguments)

        try:
            with connection.execute_wrapper(note):
                together.wait(timeout=20)
                return introspect(token)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))
    assert len([sql for sql in queries if "TrustedIssuer".lower() in sql.lower()]) == 1
    TrustedIssuer.objects.get().delete()
    assert introspect(token) is None


@pytest.mark.django_db(transaction=True)
def test_a_commit_counts_at_once_although_another_thread_has_read_before(
    database_url: str, alpha: MisbehavingServer
) -> None:
    token = access_token(alpha.origin)

    def ask() -> Any:
        try:
            return introspect(token)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        with transaction.atomic():
            TrustedIssuer.objects.create(issuer=alpha.origin)
            assert thread.submit(ask).result(timeout=20) is None
        assert introspect(token)


def test_a_process_that_was_forked_reads_the_table_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    TrustedIssuer.objects.create(issuer=SHOP)
    table = find._table()
    with table._lock:  # held by a thread that a fork does not have
        monkeypatch.setattr("os.getpid", lambda: 1)
        assert find._table() is not table
        assert list(find.issuers()) == [SHOP]


@pytest.fixture
def browser() -> Browser:
    from django.contrib.auth import get_user_model

    browser = Browser()
    browser.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return browser


LIST = "admin:introspection_issuers_trustedissuer_changelist"


def texts(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_an_operator_adds_an_issuer_and_its_tokens_work_at_once(browser: Browser, alpha: MisbehavingServer) -> None:
    assert introspect(access_token(alpha.origin)) is None
    form = {"issuer": alpha.origin, "backend": "jwt", "options": "", "cache": "", "is_active": "on", "description": "A"}

    response = browser.post(reverse("admin:introspection_issuers_trustedissuer_add"), form, follow=True)

    assert response.redirect_chain, response.context["errors"]
    assert TrustedIssuer.objects.get().options == {}
    assert introspect(access_token(alpha.origin))


def test_the_form_shows_why_an_issuer_is_refused_and_what_is_risky(browser: Browser) -> None:
    add = reverse("admin:introspection_issuers_trustedissuer_add")
    form = {"issuer": SHOP, "backend": "jwt", "is_active": "on", "description": "", "cache": ""}

    assert browser.get(add).context["adminform"].form["cache"].value() == ""
    refused = browser.post(add, {**form, "options": json.dumps({"client_secret": "hidden-value"})})
    assert "must be a reference such as" in refused.content.decode()
    assert not TrustedIssuer.objects.exists()

    risky = browser.post(add, {**form, "options": json.dumps({"verify": False})}, follow=True)
    assert f"Issuer {SHOP}: OPTIONS['verify'] is False: any machine on the way can answer for the server." in texts(
        risky
    )
    assert "hidden-value" not in str(LogEntry.objects.values())


def test_actions_stop_and_start_trust_at_once_and_try_an_issuer(browser: Browser, alpha: MisbehavingServer) -> None:
    row = TrustedIssuer.objects.create(issuer=alpha.origin)
    broken = TrustedIssuer.objects.create(issuer=SHOP, is_active=False, options={"wrong": 1})
    token = access_token(alpha.origin)
    assert introspect(token)

    def act(action: str, *rows: TrustedIssuer) -> Any:
        data = {"action": action, "_selected_action": [each.pk for each in rows]}
        return browser.post(reverse(LIST), data, follow=True)

    act("deactivate", row)
    assert introspect(token) is None
    refused = act("activate", row, broken)
    assert introspect(token)
    assert any(text.startswith(f"Issuer {SHOP}: ") and "unknown keys" in text for text in texts(refused))
    assert not TrustedIssuer.objects.get(issuer=SHOP).is_active
    tried = texts(act("try_out", row, broken))
    assert any(f"Issuer {alpha.origin}: keys that can verify its tokens: 1." in text for text in tried)
    assert any(text.startswith(f"Issuer {SHOP}: ") for text in tried)
    assert LogEntry.objects.filter(object_id=str(row.pk)).count() == 2


def test_the_doctor_lists_issuers_and_tries_one(alpha: MisbehavingServer, capsys: Any) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)

    def doctor(*issuers: str) -> str:
        with suppress(CommandError):  # another process does not have these settings
            call_command("introspection_doctor", *(f"--issuer={issuer}" for issuer in issuers))
        return str(capsys.readouterr().out)

    assert f"it looks issuers up; known now are 1: {alpha.origin}" in doctor()
    assert f"issuer {alpha.origin}\n" in (tried := doctor(alpha.origin))
    assert "keys that can verify its tokens: 1" in tried
    assert "no backend knows it" in doctor(STRANGER)
    for number in range(20):
        TrustedIssuer.objects.create(issuer=f"https://{number}.example.com")
    assert "known now are 21: " in (listed := doctor())
    assert listed.partition("known now are 21: ")[2].splitlines()[0].endswith(", …")


def test_the_token_debugger_follows_a_token_to_an_issuer_of_the_table(
    browser: Browser, alpha: MisbehavingServer
) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    url = reverse("admin:introspection_token_debugger")
    for token, accepted in ((access_token(alpha.origin), True), (access_token(alpha.origin, aud="other"), False)):
        verdict = browser.post(url, {"token": token, "backend": "default"}).context["here"]
        assert verdict.accepted is accepted
        assert verdict.steps[0].alias == f"default:{alpha.origin}"


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "introspection_issuers", check=True, dry_run=True)


def test_an_async_view_reads_the_table_in_a_thread(alpha: MisbehavingServer) -> None:
    TrustedIssuer.objects.create(issuer=alpha.origin)
    token = access_token(alpha.origin)

    async def many() -> list[Any]:
        return await asyncio.gather(*(aintrospect(token) for _ in range(5)))

    with CaptureQueriesContext(connection) as queries:
        assert all(async_to_sync(many)())
    assert selects(queries) == 1
    assert len(alpha.requests_at(JWKS)) >= 1


ALONE = """
import sys
import django
from django.conf import settings

options = {"issuers": "django_introspection.contrib.issuers.find", "audience": "https://api.example.com/orders"}
routing = {"BACKEND": "django_introspection.backends.RoutingBackend", "OPTIONS": options}
settings.configure(
    INSTALLED_APPS=["rest_framework", "django_introspection.resource_server", "django_introspection.contrib.issuers"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    TOKEN_INTROSPECTION={"BACKENDS": {"default": routing}},
)
django.setup()
from django.core.management import call_command
from django_introspection.contrib.issuers import find
from django_introspection.contrib.issuers.models import TrustedIssuer

call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
row = TrustedIssuer(issuer="https://id.example/realms/shop")
row.full_clean()
row.save()
assert list(find.issuers()) == [row.issuer]
assert "django_introspection.models" not in sys.modules
"""


@pytest.mark.processes
def test_a_resource_server_without_other_tables_has_the_table() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-W", "error", "-c", ALONE]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_table_refers_to_no_other_table() -> None:
    model = apps.get_model("introspection_issuers", "TrustedIssuer")

    assert not [field for field in model._meta.get_fields() if field.is_relation]
