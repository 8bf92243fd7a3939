"""Print the ids of the system checks of this project."""

from __future__ import annotations

import django
from django.core import checks


def main() -> None:
    django.setup()
    for message in checks.run_checks():
        print(message.id)


if __name__ == "__main__":
    main()
