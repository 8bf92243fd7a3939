"""Pages in headless Chromium: collected where `make browser` says so (BROWSER=1).

`CHROMIUM` and `CHROMEDRIVER` name the programs, `SCREENSHOTS` a directory for pictures of the pages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = [] if os.environ.get("BROWSER") else ["test_*.py"]


@pytest.fixture(scope="session")
def driver(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start the browser after the server, so that it lets go of its connections before the server stops."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    for argument in (
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
        *("disable-background-networking", "disable-component-update", "window-size=1200,1000"),
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{argument}")
    service = ChromeService(os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver") or "chromedriver")
    browser = Chrome(options=options, service=service)
    browser.implicitly_wait(5)
    yield browser
    browser.quit()


@pytest.fixture
def picture(driver: Any) -> Callable[[str], None]:
    """Keep a picture of the page, where SCREENSHOTS says where."""

    def keep(name: str) -> None:
        if directory := os.environ.get("SCREENSHOTS"):
            Path(directory).mkdir(parents=True, exist_ok=True)
            driver.save_screenshot(str(Path(directory, f"{name}.png")))

    return keep
