"""The families by name, with the rule of each, read without importing the package: atheris must do that."""

from __future__ import annotations

import ast
from pathlib import Path

from .targets import MODULES


def rules() -> dict[str, str]:
    """Return what each target asserts, in the words of its docstring."""
    found = {}
    for module in MODULES:
        tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and any(
                "family(" in ast.unparse(each) for each in node.decorator_list
            ):
                found[node.name] = ast.get_docstring(node) or ""
    return found
