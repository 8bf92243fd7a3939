"""Import the modules named by the arguments and print what is then imported."""

from __future__ import annotations

import sys
from importlib import import_module

import django


def main(faces: list[str]) -> None:
    django.setup()
    for face in faces:
        import_module(face)
    ours = {name for name in sys.modules if name.startswith("django_introspection")}
    print(*sorted({name.partition(".")[0] for name in sys.modules} | ours))


if __name__ == "__main__":
    main(sys.argv[1:])
