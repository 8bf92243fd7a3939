"""A language in which every message is English in brackets: what a page shows outside of them is not translated.

Placeholders are outside of the brackets too, so that English words that are filled in are found as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import django
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo

from tests.translations import catalogues

LANGUAGE = "ia"
"""A language that Django knows, without formats of its own for dates: their words are messages."""
OPEN, CLOSE = "⟦", "⟧"
DJANGO = Path(django.__file__).parent
DJANGO_APPS = ("conf", *(f"contrib/{app}" for app in ("admin", "auth", "contenttypes", "sessions")))
PLACEHOLDER = re.compile(r"(%(?:\([a-z_]+\))?[sd])")
READ = ("alt", "aria-label", "data-copied", "data-failed", "data-label", "data-placeholder", "placeholder", "title")
"""Attributes that people read or hear."""
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr", "path", "line", "rect"}
WORD = re.compile(r"[A-Za-z]{2,}")
DATA = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|client-[0-9a-f]{16}|Client [0-9]+|https?://[\w./?-]+|orders:\w+"
)
"""Identifiers and names that the tests make."""


def write_catalogue(directory: Path) -> None:
    """Write the catalogue of the language, with our messages and those of Django."""
    catalogue = Catalog(LANGUAGE, fuzzy=False)
    for app, language in product(DJANGO_APPS, catalogues.LANGUAGES):
        with (DJANGO / app / "locale" / language / "LC_MESSAGES/django.mo").open("rb") as file:
            for entry in read_mo(file):
                context: Any = entry.context  # bytes before Babel 2.19
                _add(catalogue, entry.id, context.decode() if isinstance(context, bytes) else context)
    for texts in catalogues.apps().values():
        for text in texts:
            _add(catalogue, (text.text, text.plural) if text.plural else text.text, text.context)
    file = directory / LANGUAGE / "LC_MESSAGES/django.mo"
    file.parent.mkdir(parents=True)
    with file.open("wb") as content:
        write_mo(content, catalogue)


def _add(catalogue: Catalog, identifier: Any, context: str | None) -> None:
    if identifier:
        single = identifier if isinstance(identifier, str) else identifier[0]
        is_format = not WORD.search(PLACEHOLDER.sub("", single)) or context in ("abbr. month", "alt. month")
        translated = bracketed(single) if isinstance(identifier, str) else tuple(map(bracketed, identifier))
        catalogue.add(identifier, single if is_format and isinstance(identifier, str) else translated, context=context)


def bracketed(text: str) -> str:
    return OPEN + PLACEHOLDER.sub(rf"{CLOSE}\1{OPEN}", text) + CLOSE


def untranslated(html: str, known: set[str]) -> list[str]:
    """Return the texts with words outside of the brackets, apart from known words and from what is not language."""
    reader = _Reader()
    reader.feed(DATA.sub("", html))
    texts = ["".join(reader.texts), *reader.attributes]
    assert not html.startswith("<!DOCTYPE") or OPEN in texts[0]
    return [found for text in texts for found in _outside(text) if set(WORD.findall(found)) - known]


def _outside(text: str) -> Iterator[str]:
    depth, outside = 0, ""
    for sign in text:
        depth += (sign == OPEN) - (sign == CLOSE)
        if depth == 0 and sign not in (OPEN, CLOSE):
            outside += sign
    yield from filter(str.strip, outside.split("\n"))
    if depth:
        yield f"a bracket is not closed: {text}"


class _Reader(HTMLParser):
    """Read the texts of a page, apart from code, from what is always written from left to right, and from English."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        is_hidden = bool(self._open and self._open[-1][1])
        is_code = (
            tag in ("script", "style", "code", "pre", "bdi") or given.get("dir") == "ltr" or given.get("lang") == "en"
        )
        is_code = (is_code and tag != "html") or "hidden" in (given.get("class") or "").split()
        if tag == "select" and given.get("name") in ("user_permissions", "groups"):
            is_code = True  # Django shows names of permissions in English
        if tag not in VOID:
            self._open.append((tag, is_hidden or is_code))
        shown = READ if not is_code else ("aria-label",)
        self.attributes += [value for name, value in given.items() if name in shown and value and not is_hidden]
        if tag == "input" and given.get("type") in ("submit", "button"):
            self.attributes.append(given.get("value") or "")
        self.texts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.texts.append(data)
