"""Print a challenge, the document that it names, and what is where an authorization server has its own."""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command
from django.test import Client as Browser


def main() -> None:
    django.setup()
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    browser = Browser()
    print(json.dumps(browser.get("/orders")["WWW-Authenticate"]))
    print(json.dumps(browser.get("/.well-known/oauth-protected-resource/orders").json()))
    print(browser.get("/.well-known/oauth-authorization-server").status_code)
    if any(name.startswith("django_introspection.models") for name in sys.modules):
        sys.exit("models were imported")


if __name__ == "__main__":
    main()
