"""The documentation; build it with `make docs`."""

import django_introspection

project = "django-introspection"
author = "The django-introspection authors"
copyright = "The django-introspection authors"
version = release = django_introspection.__version__

html_theme = "furo"
html_title = f"django-introspection {release}"
exclude_patterns = ["_build", "benchmarks/table.rst"]
highlight_language = "python"
