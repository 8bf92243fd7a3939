"""The documentation; build it with `make docs`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings.authorization_server")

import django
from docutils import nodes

import django_introspection

django.setup()

project = "django-introspection"
author = "The django-introspection authors"
copyright = "The django-introspection authors"
version = release = django_introspection.__version__

extensions = ["sphinx.ext.autodoc"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"  # docstrings mark names with single backticks
# Types of Python, Django and the private modules have no page here; pages and labels are still checked.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = f"django-introspection {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
exclude_patterns = ["_build", "benchmarks/table.rst"]
highlight_language = "python"


def name_columns(app, doctree, docname):
    """Write the name of its column into each cell: on a phone, pages.css shows a row as a card with these names."""
    if app.builder.format != "html":
        return
    for table in doctree.findall(nodes.table):
        heads = [head.astext() for thead in table.findall(nodes.thead) for head in thead.findall(nodes.entry)]
        if len(heads) < 2:
            continue
        table["classes"] += ["rows-as-cards", "many-columns"] if len(heads) > 4 else ["rows-as-cards"]
        for row in next(table.findall(nodes.tbody)).children:
            for name, cell in list(zip(heads, row.children, strict=True))[1:]:
                label = nodes.inline("", f"{name}: ", classes=["column-name"])
                if not cell.children or not isinstance(cell[0], nodes.paragraph):
                    cell.insert(0, nodes.paragraph())
                cell[0].insert(0, label)


def setup(app):
    app.connect("doctree-resolved", name_columns)
