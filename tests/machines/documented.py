"""Files that the documentation shows, written where a server of a test finds them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.test_documentation import blocks, read

PAGE = "docs/machines.rst"


def write(directory: Path, captions: dict[str, str], page: str = PAGE) -> None:
    """Write blocks of a page as modules of a package `shop`: the name of each file, and the caption of its block."""
    package = directory / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, caption in captions.items():
        (block,) = (block for block in blocks(page) if block.file == caption)
        (package / name).write_text(block.code, encoding="utf-8")


def block(language: str, caption: str, page: str = PAGE) -> str:
    """Return a block of a page in another language than Python."""
    pattern = rf"^\.\. code-block:: {language}\n   :caption: {re.escape(caption)}\n\n((?:(?:   .*)?\n)+)"
    found = re.search(pattern, read(page), re.MULTILINE)
    assert found is not None, caption
    return textwrap.dedent(found[1])
