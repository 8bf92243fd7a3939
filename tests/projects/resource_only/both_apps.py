"""Install both apps at once and print what our checks say; run by tests/test_checks.py."""

from __future__ import annotations

import django
from django.conf import settings
from django.core import checks


def main() -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_introspection.resource_server"]
    settings.TOKEN_INTROSPECTION = {}
    django.setup()
    for message in checks.run_checks(tags=["introspection"], include_deployment_checks=True):
        print(message.id)


if __name__ == "__main__":
    main()
