"""A project without Django's admin, which loads the template libraries of every app all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "django_introspection"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.template import engines

print(engines["django"].from_string("rendered").render())
"""


@pytest.mark.processes
def test_templates_are_rendered_in_a_project_without_the_admin() -> None:
    finished = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=60)

    assert (finished.stdout, finished.returncode) == ("rendered\n", 0), finished.stderr
