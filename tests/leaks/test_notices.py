"""The e-mails about leaks: sent if they are configured, with no value in them."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import DatabaseError
from django.test import RequestFactory
from django.urls import resolve

from django_introspection import introspect
from django_introspection.leaks import ending
from tests import endpoints, factories
from tests.mailing import mail_through

pytestmark = pytest.mark.django_db


class ProviderError(Exception):
    """An error of a library that sends e-mails: neither of smtplib nor of the operating system."""


class FailingBackend(EmailBackend):
    """A provider that takes no message to Ada."""

    def send_messages(self, messages: Any) -> int:
        if messages[0].to == ["ada@example.com"]:
            raise ProviderError("smtp://user:password@mail")
        return super().send_messages(messages)


@pytest.fixture
def ada() -> Any:
    return factories.UserFactory(username="ada", email="ada@example.com")


@pytest.fixture
def configure(settings: Any) -> Any:
    settings.ADMINS = [("Operations", "operations@example.com")] if _takes_pairs() else ["operations@example.com"]

    def use(*to: str) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEAKS": {"MAIL": list(to)}}

    return use


def _takes_pairs() -> bool:
    import django

    return django.VERSION < (6, 0)


def report(*values: str) -> None:
    assert endpoints.post("/oauth/leaked", {"token": list(values)}).status_code == 200


def test_without_the_setting_no_message_is_sent(ada: Any, settings: Any) -> None:
    settings.ADMINS = []
    report(factories.TokenFactory(user=ada).access_token)

    assert mail.outbox == []


def test_a_user_gets_one_message_about_own_tokens(ada: Any, configure: Any) -> None:
    configure("user")
    client = factories.RegistrationFactory(client_name="Calendar <b>").client
    own = [factories.TokenFactory(user=ada, client=client).access_token for _ in range(2)]
    other = factories.TokenFactory(user=factories.UserFactory(email="bob@example.com")).access_token
    machine = factories.RegistrationFactory(client_name="Batch")

    report(*own, other, machine.secret)

    messages = {message.to[0]: message for message in mail.outbox}
    assert messages.keys() == {"ada@example.com", "bob@example.com"}
    message = messages["ada@example.com"]
    assert message.subject == "Leaked credentials were revoked"
    assert message.body.count("The tokens of Calendar <b>") == 2
    assert "Batch" not in message.body
    assert not any(value in repr(vars(each)) for each in mail.outbox for value in (*own, other, machine.secret))


def test_a_user_model_without_an_address_ends_no_report(
    ada: Any, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user model need not be made of the base class of Django, which names the field of the address."""
    monkeypatch.delattr(AbstractBaseUser, "get_email_field_name")
    configure("user", "admins")

    report(factories.TokenFactory(user=ada).access_token)

    assert [message.to for message in mail.outbox] == [["operations@example.com"]]


def test_the_admins_get_one_message_about_everything(ada: Any, configure: Any) -> None:
    configure("admins")
    machine = factories.RegistrationFactory(client_name="Batch")
    token = factories.TokenFactory(user=ada).access_token

    report(token, machine.secret)

    (message,) = mail.outbox
    assert message.to == ["operations@example.com"]
    assert f"The secret of Batch that ends in {machine.secret[-4:]}" in message.body
    assert "(ada)" in message.body
    assert "https://auth.example.com" in message.body
    assert machine.secret not in message.body


@pytest.mark.parametrize("value", ["unknown", "ended"])
def test_a_report_that_ends_nothing_sends_no_message(value: str, ada: Any, configure: Any) -> None:
    token = factories.TokenFactory(user=ada).access_token
    report(token)
    configure("user", "admins")

    report(token if value == "ended" else "unknown")

    assert mail.outbox == []


@pytest.mark.parametrize("changes", [{"email": ""}, {"is_active": False}])
def test_a_user_who_cannot_be_reached_gets_none(changes: Any, ada: Any, configure: Any) -> None:
    configure("user")
    token = factories.TokenFactory(user=ada).access_token
    type(ada).objects.update(**changes)

    report(token)

    assert mail.outbox == []


def test_a_message_that_cannot_be_sent_changes_no_answer_and_stops_no_other_message(
    ada: Any, configure: Any, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    configure("user", "admins")
    mail_through(settings, "tests.leaks.test_notices.FailingBackend")
    bob = factories.UserFactory(email="bob@example.com")
    token, other = (factories.TokenFactory(user=user).access_token for user in (ada, bob))

    with caplog.at_level(logging.ERROR, "django_introspection"):
        report(token, other)

    assert introspect(token) is None
    assert {message.to[0] for message in mail.outbox} == {"bob@example.com", "operations@example.com"}
    assert "a message about leaked credentials was not sent: ProviderError" in caplog.text
    assert "password" not in caplog.text


def test_a_project_replaces_the_templates(ada: Any, configure: Any, settings: Any, tmp_path: Any) -> None:
    configure("user")
    folder = tmp_path / "introspection" / "leaks"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("Two\nlines\n")
    (folder / "message.txt").write_text("{% for leak in leaks %}{{ leak.kind }}{% endfor %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    report(factories.TokenFactory(user=ada).access_token)

    assert [(message.subject, message.body) for message in mail.outbox] == [("Two lines", "access")]


def test_what_ended_before_the_database_failed_is_reported(
    ada: Any, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("user", "admins")
    machine = factories.RegistrationFactory(client_name="Batch")
    token = factories.TokenFactory(user=ada).access_token

    def fail(*_: Any) -> None:
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(ending, "_end_tokens", fail)
        assert endpoints.post("/oauth/leaked", {"token": [machine.secret, token]}).status_code == 503
    report(machine.secret, token)

    # Django itself tells ADMINS of the 503.
    about_secret, to_ada, about_token = (each for each in mail.outbox if "Service Unavailable" not in each.subject)
    assert "The secret of Batch" in about_secret.body
    assert (to_ada.to, about_token.to) == (["ada@example.com"], ["operations@example.com"])


def test_no_message_delays_the_answer(ada: Any, configure: Any) -> None:
    """Its time would say that the value was valid."""
    configure("user")
    body = urlencode({"token": factories.TokenFactory(user=ada).access_token})
    request = RequestFactory().post("/oauth/leaked", body, content_type=endpoints.FORM)

    response = resolve("/oauth/leaked").func(request)

    assert (response.status_code, mail.outbox) == (200, [])
    response.close()
    assert len(mail.outbox) == 1
