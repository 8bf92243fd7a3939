"""Files that the documentation shows, written where a server of a test finds them."""

from __future__ import annotations

from pathlib import Path

from tests.test_documentation import blocks

PAGE = "docs/machines.rst"


def write(directory: Path, *files: str) -> None:
    """Write the blocks of the page with these captions as modules of a package `shop`."""
    package = directory / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    for file in files:
        code = "\n".join(block.code for block in blocks(PAGE) if block.file == file)
        assert code, file
        (package / file).write_text(code, encoding="utf-8")
