from __future__ import annotations

import logging
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client as Browser

from django_introspection.admin.debugger import MAX_BODY
from django_introspection.admin.debugger_advice import REASONS
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.models import Client, Token
from django_introspection.protocol.answer import Reason
from tests import factories, jose
from tests.admin.traces import left_behind
from tests.backends.issuers import access_token, jwt_settings
from tests.misbehaving.server import MisbehavingServer, remote_settings
from tests.settings import AUDIENCE, TOKEN_INTROSPECTION

LIST = "/admin/introspection/token/"
DEBUGGER = f"{LIST}debugger/"


def text_of(response: Any) -> str:
    """The text of a page without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def debug(browser: Browser, token: str, **chosen: str) -> Any:
    return browser.post(DEBUGGER, {"token": token, "backend": "default", **chosen})


@pytest.fixture
def issued(machine: Any, user: Any) -> Any:
    return factories.TokenFactory(client=machine.client, user=user, refresh=True)


def test_every_reason_comes_with_what_to_do() -> None:
    assert REASONS.keys() == set(Reason)
    assert all(advice.why and advice.do for advice in REASONS.values())


def test_an_active_token_is_taken_and_its_members_are_shown(browser: Browser, issued: Any) -> None:
    answer = debug(browser, issued.access_token)

    assert answer.status_code == 200
    assert answer.context["here"].accepted
    assert "Active: a view accepts this token." in text_of(answer)
    assert f"{LIST}{issued.token.pk}/change/" in answer.content.decode()
    assert ("scope", "orders:read") in answer.context["here"].members
    assert re.search(r"exp \d+ \(.+ UTC\)", text_of(answer))
    assert f'["{AUDIENCE}"]' in text_of(answer)


def test_the_caller_gets_the_members_of_its_policy(browser: Browser, issued: Any) -> None:
    caller = factories.ResourceServerFactory(visible_members=["scope", "exp"]).client
    answer = debug(browser, issued.access_token, caller=caller.client_id)

    assert {name for name, _ in answer.context["endpoint"].members} == {"active", "scope", "exp"}
    assert f"What our introspection endpoint answers “ {caller.client_id} ”" in text_of(answer)


@pytest.mark.parametrize(
    ("change", "reason", "advice"),
    [
        ({"introspection_policy": "none"}, "caller may not introspect", "answers 403"),
        ({"is_active": False}, "client inactive", "Enable the client"),
        ({"introspection_policy": "own"}, "not for this caller", "Expected: client_id 'orders-api'"),
        ({"resources": []}, "not for this caller", f"Expected: aud none Found: aud '{AUDIENCE}'"),
        ({"resources": ["urn:a"]}, "not for this caller", "resources served"),
    ],
)
def test_a_caller_that_is_told_nothing_is_told_why_to_the_operator(
    browser: Browser, issued: Any, change: dict[str, Any], reason: str, advice: str
) -> None:
    resource_server = factories.ResourceServerFactory(client_id="orders-api")
    Client.objects.filter(pk=resource_server.client.pk).update(**change)
    answer = debug(browser, issued.access_token, caller=resource_server.client.client_id)

    assert answer.context["here"].accepted
    assert answer.context["endpoint"].reason == reason
    assert advice in text_of(answer)


def test_a_revoked_token_says_by_whom_and_when(browser: Browser, issued: Any, superuser: Any) -> None:
    browser.post(f"{LIST}{issued.token.pk}/revoke/", {"token": ""})
    answer = debug(browser, issued.access_token)

    assert answer.context["here"].reason == "revoked"
    assert re.search(r"This token was revoked: .+ UTC, by the operator root\.", text_of(answer))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"expires_at": 1}, "expired"),
        ({"not_before": 9_999_999_999, "expires_at": 99_999_999_999}, "not yet valid"),
        ({"audience": ["urn:invoices"]}, "wrong audience"),
        ({"audience": []}, "wrong audience"),
        ({"members": {"cnf": {"jkt": "x"}}}, "bound to a key"),
    ],
)
def test_a_token_that_is_refused_says_why(browser: Browser, issued: Any, change: dict[str, Any], reason: str) -> None:
    Token.objects.filter(pk=issued.token.pk).update(**change)
    answer = debug(browser, issued.access_token)

    assert (answer.context["here"].accepted, answer.context["here"].reason) == (False, reason)
    assert str(REASONS[Reason(reason)].do) in text_of(answer)


def test_the_page_says_that_a_view_with_dpop_may_accept_a_bound_token(browser: Browser, issued: Any) -> None:
    Token.objects.filter(pk=issued.token.pk).update(members={"cnf": {"jkt": "x"}})

    assert "to a view whose schemes include DPoP" in text_of(debug(browser, issued.access_token))


def test_a_scope_that_a_view_needs_is_checked(browser: Browser, issued: Any) -> None:
    assert debug(browser, issued.access_token, scope="orders:read").context["here"].accepted

    answer = debug(browser, issued.access_token, scope="orders:read orders:write")

    assert answer.context["here"].reason == "insufficient scope"
    assert "Found: scope 'orders:read'" in text_of(answer)
    assert debug(browser, issued.access_token, scope='"').context["form"].errors.keys() == {"scope"}


def test_a_token_that_no_backend_takes_names_the_routing(settings: Any, browser: Browser, issued: Any) -> None:
    routing = {
        "BACKEND": "django_introspection.backends.RoutingBackend",
        "OPTIONS": {"issuers": {"https://a.example": "own"}},
    }
    own = TOKEN_INTROSPECTION["BACKENDS"]["default"]
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": {"default": routing, "own": own}}

    assert "No backend was asked" in text_of(debug(browser, issued.access_token))


def test_each_step_to_the_verdict_is_shown(browser: Browser, issued: Any, user: Any) -> None:
    page = text_of(debug(browser, issued.access_token))

    assert "Backend “default” accepted" in page
    assert f"User accepted: {user.get_username()}" in page


def test_a_disabled_owner_and_a_disabled_client_are_named(browser: Browser, issued: Any, user: Any) -> None:
    factories.User.objects.filter(pk=user.pk).update(is_active=False)
    assert debug(browser, issued.access_token).context["here"].reason == "user inactive"
    Client.objects.update(is_active=False)
    assert debug(browser, issued.access_token).context["here"].reason == "client inactive"


def test_a_refresh_token_opens_no_view(browser: Browser, issued: Any) -> None:
    assert debug(browser, issued.refresh_token).context["here"].reason == "not an access token"


def test_what_is_no_token_is_told_apart(browser: Browser, issued: Any, machine: Any) -> None:
    said = {
        "unknown": text_of(debug(browser, "of-another-server")),
        "cut off": text_of(debug(browser, issued.access_token[:-3])),
        "client secret": text_of(debug(browser, machine.secret)),
        "JWT": text_of(debug(browser, "a.b.c")),
        "not by a key": text_of(debug(browser, "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.AA")),
        "ID token": text_of(debug(browser, "eyJhbGciOiJSUzI1NiJ9.e30.AA")),
    }

    assert not [name for name, text in said.items() if name not in text]


def test_a_jwt_is_told_apart_by_its_signature(settings: Any, browser: Browser) -> None:
    keys = [{"KEY": jose.pem("ES256"), "KID": "our-key"}]
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": keys}
    client = factories.RegistrationFactory(access_token_format="jwt").client
    value = factories.TokenFactory(client=client).access_token
    header, claims = jose.read(value)
    forged = jose.sign(header, claims, jose.key("ES256", "another"))

    assert debug(browser, value).context["here"].accepted
    assert "not by a key of this server. Details: keys of this server: our-key" in text_of(debug(browser, forged))


@pytest.mark.parametrize(
    "pasted",
    [
        "  {}\n",
        '"{}"',
        "'{}',",
        "Bearer {}",
        "bearer   {}",
        "Authorization: Bearer {}",
        '"Bearer {}"',
        "“{}”",
        "DPoP {}\r\n",
        "\t`{}`\t",
    ],
)
def test_a_token_is_found_in_what_was_copied_around_it(browser: Browser, issued: Any, pasted: str) -> None:
    assert debug(browser, pasted.format(issued.access_token)).context["here"].accepted


def test_a_token_that_was_wrapped_into_lines_is_put_together(browser: Browser, issued: Any) -> None:
    value = issued.access_token

    assert debug(browser, f"{value[:20]}\r\n  {value[20:40]}\n{value[40:]}").context["here"].accepted


@pytest.mark.parametrize(
    ("pasted", "problem"),
    [
        ("", "This field is required."),
        ("   ", "There is no token in this text."),
        ("Bearer ", "There is no token in this text."),
        ("x" * 20_000, "This has 20000 characters; the longest token has 16384."),
        ("a\x00b", "Null characters are not allowed."),
    ],
)
def test_what_holds_no_token_is_said_at_the_field(browser: Browser, pasted: str, problem: str) -> None:
    assert problem in text_of(debug(browser, pasted))


@pytest.mark.parametrize("length", [MAX_BODY, 3_000_000])
def test_a_huge_text_gets_an_answer_that_helps(browser: Browser, length: int) -> None:
    answer = debug(browser, "x" * length)

    assert answer.status_code == 413
    assert "Paste the token alone." in text_of(answer)


def test_an_unknown_caller_or_backend_is_said_at_the_field(browser: Browser, issued: Any) -> None:
    answer = debug(browser, issued.access_token, caller="nobody", backend="nowhere")

    assert answer.context["form"].errors.keys() == {"caller", "backend"}
    assert issued.access_token not in answer.content.decode()


def test_a_remote_server_that_refuses_is_asked_and_named(settings: Any, browser: Browser, issued: Any) -> None:
    with MisbehavingServer("inactive") as server:
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **remote_settings(server.url)}
        assert debug(browser, issued.access_token).context["here"].reason == str(Reason.INACTIVE)


def test_an_algorithm_that_is_not_accepted_is_named_with_its_option(settings: Any, browser: Browser) -> None:
    aliases = {"default": jwt_settings("https://id.example.com", algorithms=["ES384"])}
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "BACKENDS": aliases}

    text = text_of(debug(browser, access_token("https://id.example.com")))

    assert "Found: alg 'ES256'" in text
    assert "Expected: alg 'ES384' (option algorithms)" in text
    assert "Add it to the option algorithms of the backend" in text


def test_a_remote_server_that_cannot_be_reached_is_no_verdict_on_the_token(
    settings: Any, browser: Browser, issued: Any, resource_server: Any
) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, **remote_settings("http://127.0.0.1:9/introspect")}
    answer = debug(browser, issued.access_token, caller=resource_server.client.client_id)

    assert answer.context["here"].reason == "unavailable"
    assert answer.context["endpoint"].accepted
    assert "can be reached from this machine" in text_of(answer)


def test_a_backend_whose_settings_are_wrong_is_named(settings: Any, browser: Browser, issued: Any) -> None:
    settings.TOKEN_INTROSPECTION = {"BACKENDS": {"default": {"BACKEND": "nowhere.Backend"}}}

    assert "TOKEN_INTROSPECTION['BACKENDS']['default']['BACKEND']" in text_of(debug(browser, issued.access_token))


def test_a_hook_that_fails_is_said_to_fail(settings: Any, browser: Browser, issued: Any, machine: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "MEMBERS": "tests.admin.test_token_debugger.failing"}

    assert "MEMBERS" in text_of(debug(browser, issued.access_token, caller=machine.client.client_id))


def failing(*_: Any) -> Any:
    raise LookupError("secret")


def test_the_value_is_nowhere_afterwards(browser: Browser, issued: Any, caplog: Any, machine: Any) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        debug(browser, value, caller=machine.client.client_id)
        for value in (issued.access_token, issued.refresh_token, issued.access_token[:-1], "unknown-token-value")
    ]

    texts = [answer.content.decode() for answer in answers]
    texts += left_behind(browser, caplog, DEBUGGER, LIST, "/admin/")
    for value in (issued.access_token, issued.refresh_token, issued.access_token[:-1], "unknown-token-value"):
        assert not [text for text in texts if value in text]


def test_the_security_log_says_who_asked_about_which_token(browser: Browser, issued: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "django_introspection.security")
    caller = factories.ResourceServerFactory(introspection_policy="own").client
    debug(browser, issued.access_token, caller=caller.client_id)
    debug(browser, "unknown-token")

    lines = [record.getMessage() for record in caplog.records if "debugged" in record.getMessage()]
    assert lines == [
        f"token debugged operator='root' token={issued.token.pk} backend=default caller='{caller.client_id}': "
        "active; endpoint: not for this caller",
        "token debugged operator='root' token=None backend=default caller=None: unknown",
    ]


def test_the_page_is_kept_by_no_cache_and_takes_no_token_in_its_address(browser: Browser, issued: Any) -> None:
    asked = browser.get(DEBUGGER, {"token": issued.access_token, "backend": "default"})

    assert "here" not in asked.context
    assert issued.access_token not in asked.content.decode()
    for answer in (asked, debug(browser, issued.access_token)):
        assert "no-store" in answer["Cache-Control"]


def test_debugging_asks_no_view_that_it_was_asked_by_another_page(issued: Any, superuser: Any) -> None:
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(superuser)

    assert debug(browser, issued.access_token).status_code == 403
    csrf = browser.get(DEBUGGER).cookies["csrftoken"].value
    assert debug(browser, issued.access_token, csrfmiddlewaretoken=csrf).status_code == 200


@pytest.mark.parametrize(("codenames", "status"), [((), 403), (("issue_token",), 403), (("view_token",), 200)])
def test_debugging_needs_its_permission_and_says_so(
    staff_browser: Any, issued: Any, codenames: tuple[str, ...], status: int
) -> None:
    staff = staff_browser(*codenames)

    assert (staff.get(DEBUGGER).status_code, debug(staff, issued.access_token).status_code) == (status, status)
    assert status == 200 or "introspection.view_token" in text_of(staff.get(DEBUGGER))


def test_who_revoked_is_known_for_clients_and_reuse(browser: Browser, issued: Any, machine: Any) -> None:
    revoke_token(issued.token, by=machine.client)

    assert f"by the client {machine.client.client_id}" in text_of(debug(browser, issued.access_token))
