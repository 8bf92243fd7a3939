"""Make the tables and rows of a site, and print what a test needs to use it: `python -m tests.machines.prepare`."""

from __future__ import annotations

import json
from typing import Any

import django


def main() -> None:
    django.setup()
    from django.core.management import call_command
    from django.test import Client as Browser

    from tests import factories

    call_command("migrate", verbosity=0)
    machine = factories.RegistrationFactory(grant_types=["client_credentials", "refresh_token"])
    api = factories.ResourceServerFactory()
    ada: Any = factories.User.objects.create_superuser("ada", password="x")
    browser = Browser()
    browser.force_login(ada)
    made = {
        "machine": [machine.client.client_id, machine.secret],
        "api": [api.client.client_id, api.secret],
        "refresh_token": factories.TokenFactory(client=machine.client, user=ada, refresh=True).refresh_token,
        "session": browser.cookies["sessionid"].value,
        "machine_pk": machine.client.pk,
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main()
