"""Collect the messages of the source, keep the catalogues in step with them, and compile these: `make messages`.

It needs Django and Babel, and no tools of gettext. Entries are sorted, without places and dates, so that a change of a
sentence is a change of a few lines. What is not translated yet stays empty, and `test_catalogues.py` fails.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

import django_introspection

ROOT = Path(django_introspection.__file__).parent
LANGUAGES = ("de", "es", "fr", "ja", "pt_BR", "zh_Hans")
APART = (ROOT / "contrib/issuers", ROOT / "security_events")
"""Apps that can be installed without the others."""
SHARED = ROOT / "problem_texts.py"
"""Used by apps that can be installed without each other: it is in the catalogues of all of them."""

_FUNCTIONS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), ("text",)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ("context", "text")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), ("text", "plural")),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ("context", "text", "plural")),
}
_LITERAL = r"""(u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
_CALL = re.compile(rf"\b(n?p?gettext|_)\({_LITERAL}(?:, *{_LITERAL})?(?:, *{_LITERAL})?", re.DOTALL)

LEFT_TO_DJANGO = frozenset(
    {
        *(" By %(filter_title)s ", "Action", "Any date", "Clear", "Filter", "Home", "No, take me back"),
        *("Please correct the error below.", "Save", "User", "active", "name", "user"),
    }
)
"""Messages that Django's own catalogues have: in ours they would change the words of Django's pages."""


class Text(NamedTuple):
    """A message of the source."""

    text: str
    context: str | None = None
    plural: str | None = None


_PLURALS = {"es": (2, "(n != 1)"), "fr": (2, "(n > 1)"), "pt_BR": (2, "(n > 1)")}
"""Rules without the form for whole millions, which Babel has and no page of ours needs."""


class Headed(Catalog):
    """A catalogue whose header holds neither dates nor names of tools."""

    def __init__(self, language: str, **options: Any) -> None:
        super().__init__(language, **options)
        self._num_plurals, self._plural_expr = _PLURALS.get(language, (self.num_plurals, self.plural_expr))

    @property
    def mime_headers(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [
            ("Language", str(self.locale)),
            ("Plural-Forms", self.plural_forms),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def apps() -> dict[Path, set[Text]]:
    """Return the messages of each app that has catalogues of its own, by its directory."""
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.html"), *ROOT.rglob("*.txt")]
    own = {app: {file for file in files if file.is_relative_to(app)} for app in APART}
    return {
        ROOT: collect(set(files).difference(*own.values())),
        **{app: collect([*files_of_app, SHARED]) for app, files_of_app in own.items()},
    }


def collect(files: Any) -> set[Text]:
    """Return the messages of some modules and templates, without those that are left to Django."""
    found = {text for file in files for text in (_in_module if file.suffix == ".py" else _in_template)(file)}
    return {text for text in found if text.context is not None or text.text not in LEFT_TO_DJANGO}


def _in_module(file: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            yield from _text(name, [each.value for each in node.args if isinstance(each, ast.Constant)])


def _in_template(file: Path) -> Iterator[Text]:
    for name, *literals in _CALL.findall(templatize(file.read_text())):
        yield from _text(name, [ast.literal_eval(literal) for literal in literals if literal])


def _text(function: str, arguments: list[Any]) -> Iterator[Text]:
    """Yield the message of a call; a call with a variable marks nothing."""
    names = _FUNCTIONS.get(function, ())
    if names and len(arguments) >= len(names):
        yield Text(**dict(zip(names, arguments, strict=False)))


def po_file(app: Path, language: str) -> Path:
    return app / "locale" / language / "LC_MESSAGES" / "django.po"


def read(file: Path) -> Catalog:
    with file.open("rb") as content:
        return read_po(content, locale=file.parts[-3])


def merged(language: str, texts: set[Text], known: list[Catalog]) -> Headed:
    """Return a catalogue of these messages with the translations that are known, the first one's comments included."""
    catalogue = Headed(language, fuzzy=False, header_comment=known[0].header_comment if known else "#")
    for text in texts:
        found = next((each for old in known if (each := old.get(text.text, text.context)) and each.string), None)
        identifier = (text.text, text.plural) if text.plural else text.text
        fits = found is not None and isinstance(found.string, tuple) == bool(text.plural)
        catalogue.add(
            identifier,
            found.string if fits else "",
            context=text.context,
            user_comments=found.user_comments if found else (),
        )
    return catalogue


def as_text(catalogue: Headed) -> bytes:
    """Return the file of a catalogue: one form for one content."""
    file = io.BytesIO()
    write_po(file, catalogue, width=100, no_location=True, sort_output=True, ignore_obsolete=True)
    return file.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def main() -> None:
    for language in LANGUAGES:
        files = {app: po_file(app, language) for app in apps()}
        known = {app: read(file) for app, file in files.items() if file.exists()}
        for app, texts in apps().items():
            own = [known[app]] if app in known else []
            catalogue = merged(language, texts, [*own, *(each for other, each in known.items() if other != app)])
            files[app].parent.mkdir(parents=True, exist_ok=True)
            files[app].write_bytes(as_text(catalogue))
            files[app].with_suffix(".mo").write_bytes(compiled(catalogue))
            missing = sum(not any(each.string) for each in catalogue if each.id)
            print(f"{files[app].relative_to(ROOT.parent)}: {len(texts)} messages, {missing} not translated")


if __name__ == "__main__":
    main()
