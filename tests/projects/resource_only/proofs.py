"""Ask with a token and a proof, both from the command line; print the status and the error."""

from __future__ import annotations

import sys

import django
from django.core.management import call_command
from django.test import Client as Browser

from django_introspection.testing.challenges import parse_challenges


def main() -> None:
    django.setup()
    call_command("check", deploy=True, tags=["introspection"], fail_level="WARNING", stdout=sys.stderr)
    token, proof = sys.argv[1:]
    response = Browser().get("/orders", headers={"Authorization": f"DPoP {token}", "DPoP": proof})
    errors = [each.parameters["error"] for each in parse_challenges(response.headers.get("WWW-Authenticate", ""))]
    print(response.status_code, *errors)


if __name__ == "__main__":
    main()
