"""The browser story of the example, with its real processes: log in, consent, look, be revoked."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from example_project.browser_clients import OPERATOR, PERSON
from example_project.browser_demo import order_book
from example_project.demo import served
from example_project.settings.base import DIRECTORY, ORDERS_API, ROOT, WEB_CLIENT_ID

from .conftest import note_complaints
from .examining import examine

TOKENS = "/admin/oauth2_provider/accesstoken/"
REFUSED = "Your token is no longer accepted"


@dataclass(frozen=True)
class Places:
    server: str
    page: str
    directory: Path
    stop_server: Callable[[], None]


@contextmanager
def running(directory: Path) -> Iterator[Places]:
    with ExitStack() as first, ExitStack() as second:
        server = first.enter_context(served("oauth_toolkit_server", EXAMPLE_DIR=str(directory)))
        page = second.enter_context(order_book(server, EXAMPLE_DIR=str(directory)))
        yield Places(server, page, directory, first.close)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with running(tmp_path_factory.mktemp("example")) as all_three:
        yield all_three


@pytest.fixture
def visit(chromium: Any, problems: list[str]) -> Iterator[Callable[[], Any]]:
    """Open a browser that nobody used before; the test fails for what it complained about."""
    with ExitStack() as stack:

        def open_browser() -> Any:
            context = chromium.new_context()
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            tab = context.new_page()
            note_complaints(tab, problems)
            return tab

        yield open_browser
    assert not problems, problems


@pytest.fixture
def tab(visit: Callable[[], Any]) -> Any:
    return visit()


@pytest.fixture
def complaint(problems: list[str]) -> Callable[[int], None]:
    """Take out that the browser complained about an answer which is meant to be an error."""

    def take_out(status: int) -> None:
        assert f"status of {status}" in problems.pop()

    return take_out


def heading(tab: Any, text: str) -> None:
    tab.get_by_role("heading", level=1, name=text).wait_for()


def press(tab: Any, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()


def log_in(tab: Any, who: str, button: str) -> None:
    tab.get_by_label(re.compile("^user ?name", re.IGNORECASE)).fill(who)
    tab.get_by_label("Password").fill(who)
    press(tab, button)


def calls(tab: Any) -> list[str]:
    """Return what the page says about its calls of the API."""
    return [" ".join(text.split()) for text in tab.locator(".call").all_inner_texts()]


def tamper(tab: Any, change: Callable[[str], str]) -> None:
    """Change the address that the authorization server sends the person to."""

    def answer(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        real = route.fetch(max_redirects=0)
        route.fulfill(status=302, headers={"Location": change(real.headers["location"])})

    tab.route(lambda url: urlsplit(url).path == "/oauth/authorize/", answer)


def sign_in(tab: Any, places: Places, *, write: bool = False, decide: str = "Allow") -> None:
    tab.goto(places.page)
    tab.get_by_role("checkbox").set_checked(write)
    press(tab, "Sign in")
    log_in(tab, PERSON, "Sign in")
    press(tab, decide)


def revoke_all(operator: Any, places: Places) -> None:
    """Do what an operator does in the admin of the authorization server."""
    operator.goto(places.server + TOKENS)
    log_in(operator, OPERATOR, "Log in")
    operator.locator("#action-toggle").check()
    operator.get_by_label("Action:").select_option("Revoke selected access tokens")
    operator.locator(".actions button[type=submit]").click()
    operator.get_by_role("listitem").filter(has_text="Revoked").wait_for()


def test_a_person_signs_in_sees_what_the_token_may_do_and_loses_it(
    tab: Any, visit: Callable[[], Any], places: Places, complaint: Callable[[int], None]
) -> None:
    tab.goto(places.page)
    examine(tab, "story-home")
    press(tab, "Sign in")
    heading(tab, "Sign in")
    examine(tab, "story-login")
    tab.get_by_label("User name").fill(PERSON)
    tab.get_by_label("Password").fill("a guess")
    press(tab, "Sign in")
    tab.get_by_role("alert").wait_for()
    examine(tab, "story-login-refused")
    log_in(tab, PERSON, "Sign in")
    heading(tab, "Allow Order book?")
    examine(tab, "story-consent")
    press(tab, "Allow")
    heading(tab, "What your token may do")

    facts = tab.get_by_role("region", name="Your token, as the orders API sees it")
    assert facts.locator("code").all_inner_texts() == ["orders:read", ORDERS_API, WEB_CLIENT_ID, places.server]
    assert facts.locator("dd").first.inner_text().startswith(PERSON)
    ends = facts.locator("time")
    assert ends.inner_text() == f"{datetime.fromisoformat(ends.get_attribute('datetime')).astimezone(UTC):%H:%M} UTC"
    assert calls(tab) == ["Allowed GET /api/orders/ 200 OK"]
    press(tab, "Try to order tea")
    tab.locator(".call.refused").wait_for()
    assert calls(tab)[1].startswith("Refused POST /api/orders/ 403 Forbidden WWW-Authenticate: Bearer")
    assert 'error="insufficient_scope"' in calls(tab)[1]
    assert 'scope="orders:write"' in calls(tab)[1]
    examine(tab, "story-orders")

    revoke_all(visit(), places)
    tab.get_by_role("link", name="Ask again").click()

    heading(tab, REFUSED)
    complaint(403)
    assert 'error="invalid_token"' in tab.locator("pre").inner_text()
    examine(tab, "story-revoked")
    press(tab, "Sign in again")
    press(tab, "Allow")
    heading(tab, "What your token may do")


def test_a_token_with_the_scope_to_write_writes(tab: Any, places: Places) -> None:
    sign_in(tab, places, write=True)
    press(tab, "Try to order tea")

    tab.locator(".orders li").filter(has_text="Tea").wait_for()
    assert calls(tab) == ["Allowed GET /api/orders/ 200 OK", "Allowed POST /api/orders/ 201 Created"]
    examine(tab, "story-written")


def test_somebody_else_at_the_same_browser_consents_in_their_own_name(tab: Any, places: Places) -> None:
    sign_in(tab, places, decide="Not you?")
    log_in(tab, OPERATOR, "Sign in")
    press(tab, "Allow")

    heading(tab, "What your token may do")
    assert tab.locator("dd").first.inner_text().startswith(OPERATOR)


def test_a_request_of_an_unknown_client_is_explained(
    tab: Any, places: Places, complaint: Callable[[int], None]
) -> None:
    tab.goto(f"{places.server}/oauth/authorize/?response_type=code&client_id=nobody")
    log_in(tab, PERSON, "Sign in")

    heading(tab, "This request cannot be granted")
    complaint(400)
    examine(tab, "story-unknown-client")


def test_a_person_who_cancels_is_told_that_nothing_was_given(
    tab: Any, places: Places, complaint: Callable[[int], None]
) -> None:
    sign_in(tab, places, decide="Cancel")

    heading(tab, "You did not give access")
    complaint(403)
    examine(tab, "story-denied")
    tab.goto(f"{places.page}/orders")
    heading(tab, "See what a token may do")


@pytest.mark.parametrize("change", [r"state=[^&]+", r"iss=[^&]+"])
def test_an_answer_that_belongs_to_no_sign_in_of_this_browser_is_not_used(
    tab: Any, places: Places, complaint: Callable[[int], None], change: str
) -> None:
    tamper(tab, lambda location: re.sub(change, "", location))
    sign_in(tab, places)

    heading(tab, "This sign-in was not started here")
    complaint(400)
    examine(tab, "story-not-asked-for")
    tab.goto(f"{places.page}/orders")
    heading(tab, "See what a token may do")


def test_an_answer_serves_once_and_only_in_its_own_browser(
    tab: Any, visit: Callable[[], Any], places: Places, complaint: Callable[[int], None]
) -> None:
    answers: list[str] = []
    tab.on("request", lambda request: "/signed-in?" in request.url and answers.append(request.url))
    sign_in(tab, places)
    heading(tab, "What your token may do")

    for browser in (tab, visit()):
        browser.goto(answers[0])
        heading(browser, "This sign-in was not started here")
        complaint(400)


def test_a_code_that_was_meant_for_another_verifier_is_refused(
    tab: Any, visit: Callable[[], Any], places: Places, complaint: Callable[[int], None]
) -> None:
    stolen: list[str] = []

    def keep_code(location: str) -> str:
        stolen.extend(re.findall(r"code=[^&]+", location))
        return places.page

    tamper(tab, keep_code)
    sign_in(tab, places)
    heading(tab, "See what a token may do")
    thief = visit()
    tamper(thief, lambda location: re.sub(r"code=[^&]+", stolen[0], location))
    sign_in(thief, places)

    heading(thief, "The authorization server refused")
    complaint(502)
    assert thief.locator("pre").inner_text() == "invalid_grant"


def test_while_the_authorization_server_is_down_every_page_says_what_that_means(
    tab: Any, visit: Callable[[], Any], tmp_path: Path, complaint: Callable[[int], None]
) -> None:
    with running(tmp_path) as places:
        sign_in(tab, places)
        heading(tab, "What your token may do")
        places.stop_server()

        tab.get_by_role("link", name="Ask again").click()
        heading(tab, "The orders API cannot find out what your token means")
        complaint(503)
        assert "Retry-After" in tab.locator("pre").inner_text()
        examine(tab, "story-cannot-find-out")
        stranger = visit()
        stranger.goto(places.page)
        press(stranger, "Sign in")
        heading(stranger, "The authorization server does not answer")
        complaint(503)
        examine(stranger, "story-server-down")


def test_the_token_is_given_back_when_the_person_signs_out(tab: Any, places: Places) -> None:
    before = checksums(places)
    sign_in(tab, places)
    heading(tab, "What your token may do")
    assert len(checksums(places) - before) == 1

    press(tab, "Sign out")

    heading(tab, "See what a token may do")
    assert checksums(places) == before


def test_neither_browser_nor_logs_ever_hold_the_token(tab: Any, places: Places) -> None:
    before = checksums(places)
    seen: list[str] = []
    tab.on("request", lambda request: seen.extend((request.url, str(request.headers), request.post_data or "")))
    sign_in(tab, places)
    heading(tab, "What your token may do")
    seen += [tab.content(), str(tab.context.cookies()), tab.evaluate("document.cookie")]
    press(tab, "Try to order tea")
    heading(tab, "What your token may do")
    seen.append(tab.content())
    seen += [file.read_text() for file in DIRECTORY.glob("*.log")]

    (checksum,) = checksums(places) - before
    words = {word for text in seen for word in re.findall(r"[0-9A-Za-z]{20,}", text)}
    assert checksum not in {hashlib.sha256(word.encode()).hexdigest() for word in words}


def test_the_demo_says_where_to_go_and_ends_with_its_input(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "example_project.browser_demo"],
        cwd=ROOT,
        env={**os.environ, "EXAMPLE_DIR": str(tmp_path)},
        input="\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len(re.findall(r"http://127\.0\.0\.1:\d+/", finished.stdout)) == 2
    assert f"Sign in as {PERSON}" in finished.stdout
    assert f"log in as {OPERATOR}" in finished.stdout


def checksums(places: Places) -> set[str]:
    """Return what the authorization server keeps of its access tokens."""
    with closing(sqlite3.connect(places.directory / "oauth_toolkit_server.sqlite3")) as database:
        return {row[0] for row in database.execute("SELECT token_checksum FROM oauth2_provider_accesstoken")}
