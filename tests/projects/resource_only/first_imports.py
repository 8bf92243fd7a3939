"""Import each module named by the arguments first, each in a process of its own that is forked after Django itself."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

from tests.projects.resource_only.imports import main

SHARED = ("django.core.handlers.base", "django.core.management", "django.db.models", "django.test")
USED_BY_DRF = ("docutils.core", "inflection", "psycopg", "pygments.formatters", "requests", "uritemplate", "yaml")
"""What DRF imports if it is installed; none of it imports DRF or this project."""


def fork_for_each(faces: list[str]) -> None:
    for name in SHARED:
        import_module(name)
    for name in USED_BY_DRF:
        with suppress(ImportError):
            import_module(name)
    assert {"rest_framework", "django_introspection"}.isdisjoint(sys.modules)
    for face in faces:
        print(f"{face}:", end=" ", flush=True)
        child = os.fork()
        if not child:
            main([face])
            sys.exit()
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit(f"{face} cannot be imported first")


if __name__ == "__main__":
    fork_for_each(sys.argv[1:])
