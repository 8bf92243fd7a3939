"""Every page of ours under a strict Content Security Policy: run in a process of its own."""

from __future__ import annotations

from html.parser import HTMLParser

from django.test import Client as Browser

from .pages import browser, urls  # noqa: F401 - fixtures


class Forbidden(HTMLParser):
    """Collect what a strict policy forbids: code and style inside of the page, and files from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_data = named.get("type") in {"application/json", "text/plain"}
        if tag == "style" or (tag == "script" and "src" not in named and not is_data):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        if tag != "a":
            files = [named.get("src") or "", (named.get("href") or "") if tag == "link" else ""]
            self.found += [file for file in files if "//" in file or file.startswith("data:")]


def test_no_page_has_what_the_policy_forbids(browser: Browser, urls: list[str]) -> None:  # noqa: F811
    for url in urls:
        page = browser.get(url)
        assert page.status_code == 200, url
        policy = page.headers["Content-Security-Policy"]
        assert {each.strip() for each in policy.split(";")} == {
            *("default-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"),
            "object-src 'none'",
        }
        parser = Forbidden()
        parser.feed(page.content.decode())
        assert parser.found == [], url
