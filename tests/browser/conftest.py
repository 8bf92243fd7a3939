"""Pages in headless Chromium: collected where `make browser` says so (BROWSER=1).

`CHROMIUM` names the program, `SCREENSHOTS` a directory for pictures of the pages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client as Browser

from tests import factories
from tests.browser.examining import Examiner

collect_ignore_glob = [] if os.environ.get("BROWSER") else ["test_*.py"]

ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="session")
def chromium(live_server: Any) -> Iterator[Any]:
    """Start the browser after the server, so that it lets go of its connections before the server stops.

    Playwright runs an event loop in this thread, in which Django refuses every query although nothing here is
    async: each call waits for its answer, and the server has threads of its own.
    """
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def problems() -> list[str]:
    """What the browser complains about: scripts that fail, files that are missing, a broken policy of content.

    An answer that is meant to be an error is a complaint as well: a test that wants one takes it out.
    """
    return []


@pytest.fixture
def page(chromium: Any, live_server: Any, problems: list[str]) -> Iterator[Any]:
    """A tab of a browser that nobody used before; the test fails for what the browser complained about."""
    context = chromium.new_context(base_url=live_server.url, permissions=["clipboard-read", "clipboard-write"])
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("console", lambda said: _is_complaint(said) and problems.append(f"{said.text} {said.location}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert not problems, problems


def _is_complaint(said: Any) -> bool:
    """Tell whether something is wrong; that the project has no icon is not."""
    return said.type in ("error", "warning") and not said.location["url"].endswith("/favicon.ico")


@pytest.fixture
def log_in(page: Any, live_server: Any) -> Callable[[Any], Any]:
    """Let somebody be logged in, without the login page."""

    def enter(user: Any) -> Any:
        browser = Browser()
        browser.force_login(user)
        cookie = {"name": project.SESSION_COOKIE_NAME, "value": browser.session.session_key, "url": live_server.url}
        page.context.add_cookies([cookie])
        return user

    return enter


@pytest.fixture
def operator(log_in: Callable[[Any], Any]) -> Any:
    """A superuser who is logged in."""
    return log_in(factories.User.objects.create_superuser("operator", password="a password"))


@pytest.fixture
def examine(page: Any, examiner: Examiner) -> Callable[[str], None]:
    """Look at the page as it is: broad and narrow, light and dark. The name is that of its pictures.

    axe finds nothing wrong that Django's own pages have not, and nothing reaches over the edge of a phone.
    """
    return lambda name: examiner.examine(page, name)


@pytest.fixture(scope="session")
def examiner() -> Examiner:
    return Examiner()
