"""The documentation; build it with `make docs`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings.authorization_server")

import django

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
exclude_patterns = ["_build", "benchmarks/table.rst"]
highlight_language = "python"
