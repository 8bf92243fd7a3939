"""Check the project, then ask its view with each token of the arguments; prints one JSON line for each answer.

The authorization server answers by the token: `tests/projects/resource_only/test_resource_only.py` runs it.
"""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command
from django.test import Client as Browser

from django_introspection import token_backends


def main(tokens: list[str]) -> None:
    django.setup()
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = Browser().get("/orders", headers=headers)
        challenge, wait = response.headers.get("WWW-Authenticate"), response.headers.get("Retry-After")
        seen = {"status": response.status_code, "challenge": challenge, "wait": wait, "body": response.json()}
        print(json.dumps(seen))
    token_backends.close()


if __name__ == "__main__":
    main(sys.argv[1:])
