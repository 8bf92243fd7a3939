"""Deleting and disabling in the admin: what ends everywhere, and what is refused while the cache does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser

from django_introspection import revocations, signals
from django_introspection.models import Client, Token
from tests import factories

from .client_pages import told

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = "Nothing was deleted: the cache of revocations does not answer."


@pytest.fixture
def issued(settings: Any) -> Any:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    return factories.TokenFactory(user=factories.UserFactory())


def pages(issued: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return address and form of each page that deletes, by name."""
    token, post = issued.token, {"post": "yes"}
    selected = {"action": "delete_selected", **post}
    return {
        "token": (f"/admin/introspection/token/{token.pk}/delete/", post),
        "tokens": ("/admin/introspection/token/", {**selected, "_selected_action": [str(token.pk)]}),
        "client": (f"/admin/introspection/client/{token.client.pk}/delete/", post),
        "clients": ("/admin/introspection/client/", {**selected, "_selected_action": [str(token.client.pk)]}),
        "user": (f"/admin/auth/user/{token.user.pk}/delete/", post),
    }


@pytest.mark.parametrize("name", ["token", "tokens", "client", "clients", "user"])
def test_what_is_deleted_is_ended_everywhere(name: str, browser: Browser, issued: Any) -> None:
    path, form = pages(issued)[name]

    assert browser.post(path, form).status_code == 302

    assert not Token.objects.filter(pk=issued.token.pk).exists()
    assert revocations.is_revoked(issued.token.digest)


@pytest.mark.parametrize("name", ["token", "tokens", "client", "clients", "user"])
def test_without_the_cache_nothing_is_deleted_and_the_page_says_so(
    name: str, browser: Browser, issued: Any, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    path, form = pages(issued)[name]

    answer = browser.post(path, form, follow=True)

    assert answer.status_code == 200
    assert REFUSED in answer.content.decode()
    assert "protected related objects" not in answer.content.decode()
    assert "deleted" not in told(answer).replace(REFUSED, "")
    assert Token.objects.filter(pk=issued.token.pk, revoked_at=None).exists()


@pytest.mark.parametrize("name", ["token", "tokens"])
def test_a_deletion_that_is_refused_announces_no_revocation(
    name: str, browser: Browser, issued: Any, settings: Any
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    path, form = pages(issued)[name]
    revoked: list[Any] = []

    def receiver(tokens: Any, **_: Any) -> None:
        revoked.append(tokens)

    signals.token_revoked.connect(receiver)
    try:
        assert REFUSED in told(browser.post(path, form, follow=True))
    finally:
        signals.token_revoked.disconnect(receiver)

    assert revoked == []


def test_a_cache_that_fails_between_page_and_deletion_refuses_as_well(
    browser: Browser, issued: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_introspection.authorization_server.ending.are_tombstones_written", lambda: True)
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}

    for name in ("client", "clients"):
        path, form = pages(issued)[name]
        assert REFUSED in told(browser.post(path, form, follow=True))

    assert Client.objects.filter(pk=issued.token.client.pk).exists()


def test_the_page_of_a_client_lists_the_first_tokens_and_counts_all(
    browser: Browser, issued: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_introspection.models.deletion.SHOWN", 1)
    other = factories.TokenFactory(client=issued.token.client).token

    page = browser.get(pages(issued)["client"][0]).content.decode()

    assert "Tokens: 2" in page
    assert "2 live tokens will be revoked and deleted." in page
    assert "… and 1 more token" in page
    assert [str(token.pk) in page for token in (issued.token, other)].count(True) == 1


def test_disabling_says_that_caches_follow_later(browser: Browser, issued: Any, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.caches.BrokenCache"}}
    path = f"/admin/introspection/client/{issued.token.client.pk}/activity/"

    answer = browser.post(path, {"is_active": "0"}, follow=True)

    assert "The cache of revocations does not answer. Resource servers notice the change" in told(answer)
    assert not Client.objects.get(pk=issued.token.client.pk).is_active


@pytest.mark.parametrize("name", ["token", "tokens", "client", "clients"])
def test_the_answer_says_how_many_tokens_were_revoked(name: str, browser: Browser, issued: Any) -> None:
    path, form = pages(issued)[name]

    answer = browser.post(path, form, follow=True)

    assert "1 token was revoked." in told(answer)


@pytest.mark.parametrize("name", ["client", "user"])
def test_the_page_says_that_live_tokens_are_revoked_first(name: str, browser: Browser, issued: Any) -> None:
    path, _ = pages(issued)[name]
    assert "1 live token will be revoked and deleted." in browser.get(path).content.decode()

    Token.objects.update(expires_at=1)

    assert "will be revoked" not in browser.get(path).content.decode()


@pytest.mark.parametrize("name", ["clients", "users"])
def test_the_page_of_several_says_that_live_tokens_are_revoked_first(name: str, browser: Browser, issued: Any) -> None:
    factories.TokenFactory(user=factories.UserFactory())
    path = {"clients": "/admin/introspection/client/", "users": "/admin/auth/user/"}[name]
    model = Client if name == "clients" else factories.User
    keys = [str(key) for key in model.objects.values_list("pk", flat=True)]

    page = browser.post(path, {"action": "delete_selected", "_selected_action": keys}).content.decode()

    assert "2 live tokens will be revoked and deleted." in page


def test_the_page_says_whether_resource_servers_notice(browser: Browser, issued: Any, settings: Any) -> None:
    path, _ = pages(issued)["client"]
    assert "Resource servers refuse them at once." in browser.get(path).content.decode()

    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": None}

    page = browser.get(path).content.decode()
    assert "may accept them until they expire" in page
    assert "at once" not in page
