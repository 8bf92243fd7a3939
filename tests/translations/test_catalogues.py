"""The catalogues are whole, current, compiled and well formed; `make messages` brings them in step with the source."""

from __future__ import annotations

import re
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import django
import pytest
import rest_framework
from babel.messages.catalog import Message

from tests.translations import catalogues
from tests.translations.catalogues import LANGUAGES, LEFT_TO_DJANGO, Text

PLACEHOLDER = re.compile(r"%(?:\([a-z_]+\))?[sd%]")
TAG = re.compile(r"<[^>]+>")
ENDS = {".": ".。", "?": "?\uff1f", "!": "!\uff01", ":": ":\uff1a", "…": "…"}
"""How a message may end, and its translation; Chinese and Japanese have signs of their own, of full width."""
DJANGO = Path(django.__file__).parent
REST_FRAMEWORK = Path(rest_framework.__file__).parent
_apps = cache(catalogues.apps)

each_catalogue = pytest.mark.parametrize(
    ("app", "language"),
    [(app, language) for app in _apps() for language in LANGUAGES],
    ids=lambda each: str(each)[-15:],
)


def entries(app: Path, language: str) -> list[Message]:
    return [entry for entry in catalogues.read(catalogues.po_file(app, language)) if entry.id]


def forms(entry: Message) -> list[tuple[str, str]]:
    """Return each form of a translation with the English form that it must agree with."""
    if isinstance(entry.id, str):
        return [(entry.id, entry.string)]
    return [(entry.id[1], string) for string in entry.string]


def wrong(app: Path, language: str, is_wrong: Any) -> list[tuple[str, str]]:
    return [form for entry in entries(app, language) for form in forms(entry) if is_wrong(*form)]


@each_catalogue
def test_a_catalogue_has_the_messages_of_the_source_and_no_others(app: Path, language: str) -> None:
    found = set()
    for entry in entries(app, language):
        text, plural = entry.id if isinstance(entry.id, tuple) else (entry.id, None)
        found.add(Text(text, entry.context, plural))

    assert found == _apps()[app], "run make messages"


@each_catalogue
def test_every_message_is_translated(app: Path, language: str) -> None:
    assert [entry.id for entry in entries(app, language) if entry.fuzzy] == []
    assert wrong(app, language, lambda english, string: not string) == []


@each_catalogue
def test_a_translation_has_as_many_plural_forms_as_its_language(app: Path, language: str) -> None:
    catalogue = catalogues.read(catalogues.po_file(app, language))

    assert (catalogue.num_plurals, catalogue.plural_expr) == (
        catalogues.Headed(language).num_plurals,
        catalogues.Headed(language).plural_expr,
    )
    assert {len(entry.string) for entry in catalogue if entry.pluralizable} <= {catalogue.num_plurals}


@each_catalogue
@pytest.mark.parametrize("marks", [PLACEHOLDER, TAG], ids=["placeholders", "tags"])
def test_a_translation_keeps_what_is_filled_in(app: Path, language: str, marks: re.Pattern[str]) -> None:
    def differs(english: str, string: str) -> bool:
        return sorted(marks.findall(english)) != sorted(marks.findall(string))

    assert wrong(app, language, differs) == []


@each_catalogue
def test_a_translation_ends_as_the_message_does(app: Path, language: str) -> None:
    def end(text: str) -> str:
        return next((sign for sign, signs in ENDS.items() if text.rstrip()[-1:] in signs and text), "")

    assert wrong(app, language, lambda english, string: end(english) != end(string)) == []


@each_catalogue
def test_the_compiled_file_is_current(app: Path, language: str) -> None:
    file = catalogues.po_file(app, language)
    catalogue = catalogues.merged(language, _apps()[app], [catalogues.read(file)])

    assert file.read_bytes() == catalogues.as_text(catalogue), "run make messages"
    assert file.with_suffix(".mo").read_bytes() == catalogues.compiled(catalogue), "run make messages"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_of_two_apps_has_one_translation(language: str) -> None:
    seen: dict[Any, Any] = {}
    for app in _apps():
        for entry in entries(app, language):
            assert seen.setdefault((entry.id, entry.context), entry.string) == entry.string


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_django_are_left_to_django(language: str) -> None:
    known: set[str] = set()
    for app in ("conf", "contrib/admin", "contrib/auth"):
        with (DJANGO / app / "locale" / language / "LC_MESSAGES/django.mo").open("rb") as file:
            keys = vars(GNUTranslations(file))["_catalog"]
        known |= {key[0] if isinstance(key, tuple) else key for key in keys}

    assert known >= LEFT_TO_DJANGO
    assert {text.text for texts in _apps().values() for text in texts if text.context is None} & known == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_rest_framework_has_are_the_same_here(language: str) -> None:
    """It is installed before us as a rule, and the app that comes first decides."""
    with (REST_FRAMEWORK / "locale" / language / "LC_MESSAGES/django.mo").open("rb") as file:
        known = vars(GNUTranslations(file))["_catalog"]
    shared = [(entry.id, entry.string) for app in _apps() for entry in entries(app, language) if not entry.context]

    assert [(text, string) for text, string in shared if known.get(text, string) != string] == []
