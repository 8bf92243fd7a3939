"""Check the project, then ask its view and the command with each token of the arguments; prints one JSON line for each.

The authorization server answers by the token: `tests/projects/resource_only/test_resource_only.py` runs it.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import django
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client as Browser

from django_introspection import token_backends


def inspected(token: str) -> Any:
    """Return what the command makes of a token for a view with the scope of ours, and its exit code."""
    if not token:
        return None
    os.environ["TOKEN"] = token
    out, code = io.StringIO(), 0
    try:
        arguments = ("--token-env", "TOKEN", "--scope", "orders:read", "--json")
        call_command("introspection_token", "inspect", *arguments, stdout=out)
    except CommandError as error:
        code = error.returncode
    return json.loads(out.getvalue() or "null"), code


def main(tokens: list[str]) -> None:
    django.setup()
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = Browser().get("/orders", headers=headers)
        challenge, wait = response.headers.get("WWW-Authenticate"), response.headers.get("Retry-After")
        seen = {
            "inspected": inspected(token),
            "status": response.status_code,
            "challenge": challenge,
            "wait": wait,
            "body": response.json(),
        }
        print(json.dumps(seen))
    token_backends.close()


if __name__ == "__main__":
    main(sys.argv[1:])
