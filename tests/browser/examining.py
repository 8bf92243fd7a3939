"""Judge a page as people meet it: desktop and phone, light and dark."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / "node/node_modules/axe-core/axe.min.js"
SCREENS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
STOCK = ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/add/")
"""Pages of Django itself, of the kinds that ours are made of."""
CHROME = ["#header", ".breadcrumbs", "#nav-sidebar", ".select2-selection__rendered"]
"""What Django puts around every page and into its autocomplete, not judged here."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that a page can break in the dark alone."""
DJANGOS_OWN = {
    ("label-title-only", "#searchbar"),  # with `search_help_text`
    ("link-in-text-block", '<a href="?">Show all</a>'),  # without `show_full_result_count`
}
"""What pages of Django have wrong by an option that none of the above has."""

Violation = tuple[str, str]
"""The rule of axe and the element that breaks it."""


class Examiner:
    """Find what is wrong with our pages; what Django's own pages have wrong as well is Django's to mend."""

    def __init__(self) -> None:
        self._stock: set[Violation] | None = None

    def examine(self, page: Any, name: str) -> None:
        """Assert that a page of the admin can be read and used on every screen."""
        examine(page, name, forgiven=self._violations_of_stock_pages(page))

    def _violations_of_stock_pages(self, page: Any) -> set[Violation]:
        if self._stock is None:
            with page.context.new_page() as other:
                self._stock = set(DJANGOS_OWN)
                for path in STOCK:
                    other.goto(path)
                    for size in SCREENS.values():
                        other.set_viewport_size(size)
                        for scheme in SCHEMES:
                            other.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                            _finish_animations(other)
                            self._stock |= violations(other, of_colours=scheme == "dark")
        return self._stock


def examine(page: Any, name: str, *, forgiven: Set[Violation] = frozenset()) -> None:
    """Assert that a page can be read and used on every screen, and keep pictures where SCREENSHOTS says."""
    page.wait_for_load_state()
    for screen, size in SCREENS.items():
        page.set_viewport_size(size)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            _finish_animations(page)
            keep_picture(page, f"{name}-{screen}-{scheme}")
            wrong = violations(page, of_colours=scheme == "dark") - forgiven
            assert not wrong, f"{name}, {screen}, {scheme}: {sorted(wrong)}"
        reaches = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        assert reaches <= 0, f"{name}: {reaches} pixels over the edge of the {screen}"
    page.set_viewport_size(SCREENS["desktop"])
    page.emulate_media(color_scheme="light")


def violations(page: Any, *, of_colours: bool = False) -> set[Violation]:
    """Let axe look, by every rule that it has, or by those that depend on colours alone."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    rules = {"runOnly": COLOURS} if of_colours else {}
    look = "([chrome, rules]) => axe.run({exclude: chrome}, {preload: false, ...rules})"
    found = page.evaluate(look, [CHROME, rules])["violations"]
    return {(rule["id"], _name(node)) for rule in found for node in rule["nodes"]}


def _finish_animations(page: Any) -> None:
    """Do not wait for colours that change gradually."""
    page.evaluate("document.getAnimations().forEach(each => each.finish())")


def _name(node: Any) -> str:
    """Name an element by its id, where it has one: its attributes may differ from page to page."""
    selector: str = node["target"][-1]
    return selector if selector.startswith("#") and selector[1:].isidentifier() else str(node["html"])


def keep_picture(page: Any, name: str) -> None:
    if directory := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(directory, f"{name}.png"), full_page=True)
