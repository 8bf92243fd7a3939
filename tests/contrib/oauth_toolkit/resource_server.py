"""A resource server that django-oauth-toolkit protects, in a process of its own: prints the answers of its view."""

from __future__ import annotations

import json
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command


def main() -> None:
    settings.configure(
        SECRET_KEY="for tests alone",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="tests.contrib.oauth_toolkit.resource_server_urls",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        OAUTH2_PROVIDER={
            "SCOPES": {"orders:read": "Read orders"},
            "RESOURCE_SERVER_INTROSPECTION_URL": os.environ["INTROSPECTION_URL"],
            **json.loads(os.environ["RESOURCE_SERVER"]),
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)
    from django.test import Client

    for token in sys.argv[1:]:
        response = Client().get("/theirs", headers={"Authorization": f"Bearer {token}"})
        answer = response.json() if response.status_code == 200 else None
        print(json.dumps([response.status_code, answer]))


if __name__ == "__main__":
    main()
