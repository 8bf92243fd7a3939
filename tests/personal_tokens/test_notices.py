"""Notices before a token expires: one for each threshold, whoever sends them and however often."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command

from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.personal_tokens import issuing, notices
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.signals import personal_token_expires_soon
from tests.mailing import mail_through
from tests.personal_tokens.conftest import configure, make

pytestmark = pytest.mark.django_db


class ProviderError(Exception):
    """An error of a library that sends e-mails: neither of smtplib nor of the operating system."""


class BrokenMail(BaseEmailBackend):
    def send_messages(self, messages: Any) -> int:
        raise ProviderError("ann has no mailbox")


def language(user: Any) -> Any:
    return user.last_name or None


@pytest.fixture
def ann(user: Any) -> Any:
    user.email = "ann@example.com"
    user.save()
    return user


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command("introspection_personal_tokens", "expiring", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def expire_in(issued: Any, **delta: float) -> None:
    at = now() + timedelta(**delta)
    Token.objects.filter(pk=issued.row.pk).update(expires_at=at)
    PersonalToken.objects.filter(pk=issued.row.pk).update(expires_at=at)


def test_each_threshold_has_one_notice(ann: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "django_introspection.security")
    seen: list[Any] = []

    def receive(personal_token: Any, days: int, **_: Any) -> None:
        seen.append((personal_token.pk, days))

    personal_token_expires_soon.connect(receive)
    issued = make(ann, name="build\nserver")
    sent = []
    for days in (8, 6.9, 5, 0.9, 0.1, -1):
        expire_in(issued, days=days)
        sent.append([run("--send")["sent"] for _ in range(2)])
    personal_token_expires_soon.disconnect(receive)

    assert sent == [[0, 0], [1, 0], [0, 0], [1, 0], [0, 0], [0, 0]]
    assert seen == [(issued.row.pk, 7), (issued.row.pk, 1)]
    assert [message.to for message in mail.outbox] == [["ann@example.com"]] * 2
    assert mail.outbox[0].subject == "Your token “build server” expires soon"
    assert "expires on" in mail.outbox[0].body
    assert issued.value not in f"{mail.outbox[0].subject} {mail.outbox[0].body}"
    assert f"personal token expires soon token={issued.row.pk} user={ann.pk} days=1" in caplog.text


def test_a_token_that_expires_a_second_after_its_row_has_its_notice(ann: Any) -> None:
    issued = make(ann, lifetime=timedelta(days=10))
    Token.objects.update(expires_at=issued.row.expires_at + timedelta(seconds=1))

    with time_machine.travel(issued.row.expires_at - timedelta(days=7), tick=False):
        assert [notice.days for notice in notices.due((1, 7))] == [7]


def test_a_token_that_passes_two_thresholds_at_once_has_one_notice(ann: Any) -> None:
    expire_in(make(ann), hours=5)

    assert [run("--send")["sent"] for _ in range(2)] == [1, 0]
    assert PersonalToken.objects.get().noticed_days == 1


def test_without_send_they_are_listed_and_nothing_is_changed(ann: Any) -> None:
    issued = make(ann)
    expire_in(issued, days=20)

    assert run() == {"tokens": []}
    (listed,) = run("--days", "30")["tokens"]
    assert (listed["id"], listed["user"], listed["days"]) == (str(issued.row.pk), ann.get_username(), 30)
    assert mail.outbox == []
    assert PersonalToken.objects.get().noticed_days is None


@pytest.mark.parametrize("state", ["revoked", "expired", "rotated", "disabled user", "deleted token"])
def test_only_live_tokens_have_notices(ann: Any, state: str) -> None:
    issued = make(ann, lifetime=timedelta(hours=2))
    match state:
        case "revoked":
            issuing.revoke(issued.row, by="")
        case "expired":
            expire_in(issued, seconds=0)
        case "rotated":
            new = issuing.rotate(issued.row, grace=timedelta(hours=1))
            expire_in(new, days=30)
        case "disabled user":
            get_user_model().objects.update(is_active=False)
        case "deleted token":
            Token.objects.all().delete()

    assert run("--send") == {"sent": 0, "failed": 0}


def test_a_user_without_an_address_has_the_signal_alone(user: Any) -> None:
    expire_in(make(user), hours=5)

    assert run("--send")["sent"] == 1
    assert mail.outbox == []


def test_an_email_that_fails_is_sent_by_the_next_run(ann: Any, settings: Any, capsys: Any) -> None:
    expire_in(make(ann), hours=5)
    mail_through(settings, f"{__name__}.BrokenMail")
    with pytest.raises(CommandError, match=r"1 e-mails could not be sent \(ProviderError\)") as failed:
        run("--send")
    assert "ann" not in str(failed.value)

    mail_through(settings, "django.core.mail.backends.locmem.EmailBackend")
    assert run("--send") == {"sent": 1, "failed": 0}


def test_of_two_processes_one_sends(ann: Any) -> None:
    expire_in(make(ann), hours=5)
    (one,), (two,) = list(notices.due((7, 1))), list(notices.due((7, 1)))

    assert (notices.send(one), notices.send(two)) == (True, False)
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(("code", "subject"), [("de", "Ihr Token"), ("", "Your token"), ("xx-unknown", "Your token")])
def test_the_message_is_in_the_language_of_the_user(ann: Any, settings: Any, code: str, subject: str) -> None:
    configure(settings, LANGUAGE=f"{__name__}.language")
    ann.last_name = code
    ann.save()
    expire_in(make(ann), hours=5)
    run("--send")

    assert mail.outbox[0].subject.startswith(subject)


def test_the_rows_are_read_in_pages(ann: Any, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(notices, "BATCH", 2)
    for _ in range(5):
        expire_in(make(ann), hours=5)

    assert run("--send")["sent"] == 5
    assert list(notices.due(())) == []


def test_rows_are_purged_with_their_tokens(user: Any) -> None:
    kept, expired, orphaned = make(user), make(user), make(user)
    expire_in(expired, days=-1)
    expire_in(orphaned, days=-1)
    Token.objects.filter(pk=orphaned.row.pk).delete()
    out = StringIO()
    call_command("introspection_purge", "--json", stdout=out)

    assert json.loads(out.getvalue()) == {"tokens": 1, "complete": True}
    assert PersonalToken.objects.get().pk == kept.row.pk == Token.objects.get().pk


def test_more_days_than_dates_can_count_are_refused() -> None:
    with pytest.raises(CommandError, match="36500 days or less"):
        call_command("introspection_personal_tokens", "expiring", "--days", "5000000", stdout=StringIO())
