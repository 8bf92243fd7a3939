"""The built documentation: every page fits a desktop and a phone, and its pictures are readable in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.examining import SCHEMES, SCREENS, keep_picture

ROOT = Path(__file__).resolve().parents[2]
CUT_OFF = """() => [
    ...[...document.querySelectorAll('.table-wrapper, table')]
        .filter(each => each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > innerWidth)
        .map(each => `a table of the section ${each.closest('section')?.id}`),
    ...(document.scrollingElement.scrollWidth > innerWidth ? ['the page'] : []),
]"""
"""Tables with a column that is cut off, which furo lets scroll, and the page itself."""
LEGIBILITY = """() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const luminance = colour => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(each => each / 255)
            .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = luminance(getComputedStyle(document.body).backgroundColor);
    const contrast = colour => {
        const [dark, light] = [ground, luminance(colour)].sort((one, other) => one - other);
        return (light + 0.05) / (dark + 0.05);
    };
    const lowest = (selector, property) => Math.min(...[...document.querySelectorAll(`article svg ${selector}`)]
        .map(each => contrast(getComputedStyle(each)[property])));
    const sizes = [...document.querySelectorAll('article svg text')]
        .map(each => each.getScreenCTM().a * parseFloat(getComputedStyle(each).fontSize));
    return {
        size: Math.min(...sizes),
        text: lowest('text', 'fill'),
        line: Math.min(lowest('rect', 'stroke'), lowest(':not(marker) > path', 'stroke')),
    };
}"""
"""The smallest text in the pictures of a page, in pixels, and the lowest contrast of texts and lines."""


@pytest.fixture(scope="session")
def documentation() -> Path:
    """The documentation as `make docs` builds it, which `make browser` calls first."""
    directory = ROOT / "docs/_build/html"
    assert directory.exists(), "make docs builds the pages"
    return directory


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_fits_the_screen(page: Any, screen: str, documentation: Path) -> None:
    files = sorted(documentation.rglob("*.html"))
    page.set_viewport_size(SCREENS[screen])
    cut_off: dict[str, list[str]] = {}

    for file in files:
        page.goto(file.as_uri())
        keep_picture(page, f"docs-{'-'.join(file.relative_to(documentation).with_suffix('').parts)}-{screen}")
        if found := page.evaluate(CUT_OFF):
            cut_off[file.name] = found

    assert len(files) > 60
    assert cut_off == {}


def test_a_table_that_is_too_broad_is_found(page: Any, documentation: Path) -> None:
    page.set_viewport_size(SCREENS["phone"])
    page.goto((documentation / "settings.html").as_uri())
    page.evaluate("document.querySelector('article td').innerHTML = '<div style=\"width: 500px\">broad</div>'")

    assert page.evaluate(CUT_OFF)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pictures_are_readable(page: Any, scheme: str, screen: str, documentation: Path) -> None:
    """Contrasts are those of WCAG 2.2, 1.4.3 and 1.4.11."""
    page.set_viewport_size(SCREENS[screen])
    page.emulate_media(color_scheme=scheme)
    page.goto((documentation / "how-it-works.html").as_uri())
    keep_picture(page, f"docs-pictures-{screen}-{scheme}")
    found = page.evaluate(LEGIBILITY)

    assert page.locator("article svg[role=img]").count() == 3
    assert found["size"] >= 10
    assert found["text"] >= 4.5
    assert found["line"] >= 3
