"""The pages on which people make, replace and revoke their tokens."""

from __future__ import annotations

import copy
import re
import traceback
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from django_introspection import introspect, revocations
from django_introspection.authorization_server import revoking
from django_introspection.models import Token
from django_introspection.models.fields import now, uuid7
from django_introspection.personal_tokens import issuing
from django_introspection.personal_tokens.models import PersonalToken
from django_introspection.protocol.errors import IntrospectionUnavailable
from tests import factories
from tests.personal_tokens.conftest import configure, make
from tests.self_service.conftest import text_of

pytestmark = pytest.mark.django_db

LIST = "/account/tokens/"
NEW = f"{LIST}new/"
VALUE = re.compile(r"dit_at_\w+")


def broken(user: Any) -> Any:
    raise LookupError


@pytest.fixture
def browser(user: Any) -> Browser:
    """A browser in which the user is logged in."""
    browser = Browser()
    browser.force_login(user)
    return browser


def form(**changes: Any) -> dict[str, Any]:
    entries = {"form_id": uuid7(), "name": "laptop", "scope": ["orders:read"], "days": 30}
    return {name: value for name, value in {**entries, **changes}.items() if value is not None}


def rotate_page(issued: Any) -> str:
    return f"{LIST}{issued.row.pk}/rotate/"


def revoke_page(issued: Any) -> str:
    return f"{LIST}{issued.row.pk}/revoke/"


def test_a_token_is_made_and_its_value_is_shown_once(browser: Browser, user: Any) -> None:
    answer = browser.post(NEW, form(description="At home", networks="192.0.2.7\n2001:db8::/32\n", days=3))

    (value,) = set(VALUE.findall(answer.content.decode()))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    info = introspect(value, address="192.0.2.7")
    assert info is not None
    assert info["allowed_networks"] == ("192.0.2.7/32", "2001:db8::/32")
    row = PersonalToken.objects.live(user).get()
    assert (row.name, row.description, row.token.scope) == ("laptop", "At home", "orders:read")
    assert row.token.expires_at - row.token.issued_at == timedelta(days=3)
    page = browser.get(LIST)
    assert "laptop At home Rights orders:read Networks 192.0.2.7/32 2001:db8::/32" in text_of(page)
    assert "Last used Not yet" in text_of(page)
    for secret in (value, bytes(row.token.digest).hex()):
        assert secret not in f"{page.content.decode()} {page.headers} {page.cookies} {answer.cookies}"
    assert value not in str(dict(browser.session))


def test_a_form_that_is_sent_twice_makes_one_token(browser: Browser) -> None:
    sent = form()
    browser.post(NEW, sent)

    again = browser.post(NEW, sent, follow=True)

    assert "This token was made before. Its value is not shown again." in text_of(again)
    assert Token.objects.count() == 1
    assert VALUE.findall(again.content.decode()) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "n" * 101}, "at most 100 characters"),
        ({"scope": ["orders:write"]}, "orders:write is not one of the available choices."),
        ({"scope": ["admin"]}, "admin is not one of the available choices."),
        ({"days": 0}, "greater than or equal to 1"),
        ({"days": 366}, "less than or equal to 365"),
        ({"networks": "192.0.2.1/24"}, "Enter at most 50 IP addresses or networks"),
        ({"form_id": None}, "This form was open for too long or was incomplete."),
        ({"form_id": uuid.uuid4()}, "This form was open for too long or was incomplete."),
    ],
)
def test_a_wrong_entry_is_shown_and_makes_nothing(browser: Browser, changes: dict[str, Any], text: str) -> None:
    answer = browser.post(NEW, form(**changes))

    assert text in text_of(answer)
    assert not Token.objects.exists()


def test_a_person_who_has_all_tokens_that_are_allowed_is_told(browser: Browser, user: Any) -> None:
    for _ in range(5):
        make(user)

    assert "You have as many tokens as you may have." in text_of(browser.post(NEW, form()))


def test_only_the_rights_of_the_person_can_be_chosen(browser: Browser, permitted: Any) -> None:
    assert "orders:write" in text_of(browser.get(NEW))
    permitted.user_permissions.clear()
    assert "orders:write" not in text_of(browser.get(NEW))


def test_a_token_is_replaced_after_a_question(browser: Browser, user: Any) -> None:
    old = make(user)
    assert "Do you want to replace the token laptop ?" in text_of(browser.get(rotate_page(old)))

    answer = browser.post(rotate_page(old), {"grace": "0"})

    (value,) = set(VALUE.findall(answer.content.decode()))
    assert introspect(value) is not None
    assert introspect(old.value) is None
    assert Token.objects.get(pk=old.row.pk).revoked_by == f"user {user.get_username()}"
    again = browser.post(rotate_page(old), {"grace": "0"}, follow=True)
    assert "This token has ended or was replaced before. Nothing was changed." in text_of(again)
    assert Token.objects.count() == 2


def test_a_replaced_token_is_listed_until_it_ends(browser: Browser, user: Any) -> None:
    old = make(user)
    browser.post(rotate_page(old), {"grace": "3600"})

    page = browser.get(LIST)

    assert "Replaced by a new token" in text_of(page)
    assert rotate_page(old) not in page.content.decode()
    assert revoke_page(old) in page.content.decode()
    looked = browser.get(rotate_page(old), follow=True)
    assert "This token has ended or was replaced before." in text_of(looked)


@pytest.mark.parametrize("grace", ["7", "", "-1", "x"])
def test_another_grace_is_refused(browser: Browser, user: Any, grace: str) -> None:
    old = make(user)
    browser.post(rotate_page(old), {"grace": grace})

    assert Token.objects.count() == 1


def test_a_token_is_revoked_after_a_question(browser: Browser, user: Any) -> None:
    issued = make(user)
    assert "Do you want to revoke the token laptop ?" in text_of(browser.get(revoke_page(issued)))

    answer = browser.post(revoke_page(issued), follow=True)

    assert "The token was revoked." in text_of(answer)
    assert introspect(issued.value) is None
    for again in (browser.post(revoke_page(issued), follow=True), browser.get(revoke_page(issued), follow=True)):
        assert "This token has ended already." in text_of(again)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_tokens_of_others_do_not_exist(user: Any, method: str) -> None:
    issued = make(user)
    stranger = Browser()
    stranger.force_login(factories.UserFactory())
    absent = [f"{LIST}{uuid.uuid4()}/{action}/" for action in ("rotate", "revoke")]
    answers = [
        getattr(stranger, method)(address, {"grace": "0"})
        for address in [*absent, rotate_page(issued), revoke_page(issued)]
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.content for answer in answers}) == 1
    assert introspect(issued.value) is not None
    assert "You have no tokens." in text_of(stranger.get(LIST))


@pytest.mark.parametrize("address", [LIST, NEW])
def test_a_visitor_has_to_log_in(address: str) -> None:
    answer = Browser().get(address)

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={address}")


@pytest.mark.parametrize("page", [NEW, rotate_page, revoke_page])
def test_a_form_of_another_site_does_nothing(user: Any, page: Any) -> None:
    issued = make(user)
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    address = page if isinstance(page, str) else page(issued)

    assert browser.post(address, form(grace="0")).status_code == 403
    assert Token.objects.filter(revoked_at=None).count() == 1


def test_a_name_is_text_and_not_markup(browser: Browser, user: Any) -> None:
    issued = make(user, name="<script>x</script>", description="<script>y</script>\n<b>")
    for address in (LIST, rotate_page(issued), revoke_page(issued)):
        assert "<script>" not in browser.get(address).content.decode()
    assert "<script>" not in browser.post(rotate_page(issued), {"grace": "0"}).content.decode()


def test_rights_that_cannot_be_checked_are_503(browser: Browser, user: Any, settings: Any) -> None:
    issued = make(user)
    configure(settings, SCOPES=f"{__name__}.broken")
    for answer in (browser.get(NEW), browser.post(NEW, form()), browser.post(rotate_page(issued), {"grace": "0"})):
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "Your rights cannot be checked at the moment." in text_of(answer)
    assert Token.objects.count() == 1


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_fails_is_503(
    error: type[Exception], browser: Browser, user: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    issued = make(user)

    def fail(*_: Any, **__: Any) -> None:
        raise error("deadlock detected")

    for name in ("issue", "rotate", "revoke"):
        monkeypatch.setattr(issuing, name, fail)
    written = [(NEW, form()), (rotate_page(issued), {"grace": "0"}), (revoke_page(issued), {})]
    answers = [browser.post(page, data) for page, data in written]
    for name in ("live", "of"):
        monkeypatch.setattr(type(PersonalToken.objects), name, fail)
    answers += [browser.get(page) for page in (LIST, rotate_page(issued), revoke_page(issued))]

    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == [(503, "5")] * 6
    assert f"a page for people cannot be shown: {error.__name__}" in caplog.messages
    assert "deadlock" not in caplog.text


def test_a_cache_that_does_not_answer_loses_no_new_value(
    browser: Browser, user: Any, settings: Any, monkeypatch: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATIONS": {}}
    revocations.set_markers()
    first, second = make(user), make(user)

    def fail(*_: Any, **__: Any) -> None:
        raise IntrospectionUnavailable("down")

    monkeypatch.setattr(revoking.revocations, "write_tombstones", fail)
    replaced = browser.post(rotate_page(first), {"grace": "0"})
    revoked = browser.post(revoke_page(second), follow=True)

    assert len(set(VALUE.findall(replaced.content.decode()))) == 1
    for answer in (replaced, revoked):
        assert "The token was revoked. Some services may not know this yet." in text_of(answer)
    assert Token.objects.filter(revoked_at=None).count() == 1


def test_the_list_has_pages_and_as_many_statements_for_each(browser: Browser, user: Any, settings: Any) -> None:
    configure(settings, MAX_TOKENS=50)
    counts = []
    for number in (1, 24):
        for _ in range(number):
            make(user)
        with CaptureQueriesContext(connection) as captured:
            page = browser.get(LIST)
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert "Page 1 of 2" in text_of(page)
    assert text_of(browser.get(f"{LIST}?page=2")).count("Revoke token") == 5


def test_what_has_expired_is_not_listed(browser: Browser, user: Any) -> None:
    issued = make(user)
    Token.objects.filter(pk=issued.row.pk).update(expires_at=now())

    assert "You have no tokens." in text_of(browser.get(LIST))
    assert "This token has ended already." in text_of(browser.get(revoke_page(issued), follow=True))
    with pytest.raises(Exception, match="ended"):
        issuing.rotate(PersonalToken.objects.of(user).get())


def fails_on_the_page_of_a_value(request: Any) -> dict[str, Any]:
    """A context processor of a project that has a mistake."""
    if request.method == "POST":
        raise LookupError("a mistake of the project")
    return {}


@pytest.mark.parametrize("page", ["new", "rotate"])
def test_the_report_of_an_error_shows_no_new_value(page: str, user: Any, browser: Browser, settings: Any) -> None:
    issued = make(user)
    where, data = (NEW, form()) if page == "new" else (rotate_page(issued), {"form_id": uuid7(), "grace": 0})
    templates = copy.deepcopy(settings.TEMPLATES)
    templates[0]["OPTIONS"]["context_processors"].append(f"{__name__}.fails_on_the_page_of_a_value")
    settings.TEMPLATES = templates

    with pytest.raises(LookupError) as raised:
        browser.post(where, data)

    assert PersonalToken.objects.count() == 2, "the value exists"
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    ours = [frame for frame in frames if "/tests/" not in frame.f_code.co_filename]
    assert any("personal_tokens/views.py" in frame.f_code.co_filename for frame in ours)
    assert not [value for frame in ours for value in frame.f_locals.values() if VALUE.search(repr(value))]
