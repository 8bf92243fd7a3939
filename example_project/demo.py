"""Set the example up, start both processes, play the story: `python -m example_project.demo [--once]`.

Without `--once`, and on a terminal, both processes stay up until Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import django
import httpx2
from django.core.management import call_command

from .settings.base import DIRECTORY, ORDERS_API, ORDERS_API_CLIENT_ID, ROOT, SHOP_CLIENT_ID
from .story import Demo, Story, UnexpectedAnswerError
from .transcript import Transcript

DEMO_LOGIN = "demo"


def main() -> int:
    stay = "--once" not in sys.argv[1:] and sys.stdin.isatty() and sys.stdout.isatty()
    transcript = Transcript()
    transcript.line("Preparing the database and the demo clients …")
    shop_secret, orders_api_secret = prepare()
    with (
        served("authorization_server") as authorization_server,
        served(
            "resource_server",
            AUTHORIZATION_SERVER=authorization_server,
            ORDERS_API_CLIENT_SECRET=orders_api_secret,
        ) as resource_server,
        httpx2.Client(trust_env=False, timeout=30) as client,
    ):
        demo = Demo(authorization_server, resource_server, shop_secret, orders_api_secret)
        try:
            Story(demo, client, transcript).play()
        except UnexpectedAnswerError as unexpected:
            transcript.heading(f"Unexpected: {unexpected}")
            return 1
        transcript.heading("Every answer was as it must be.")
        if stay:
            _stay_up(demo)
    return 0


def prepare() -> tuple[str, str]:
    """Migrate, make the admin login, register both clients anew; returns their secrets."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.settings.authorization_server"
    django.setup()
    from django.contrib.auth import get_user_model

    from django_introspection.models import Client, GrantType

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    if not users.filter(username=DEMO_LOGIN).exists():
        users.create_superuser(DEMO_LOGIN, password=DEMO_LOGIN)
    Client.objects.filter(client_id__in=[SHOP_CLIENT_ID, ORDERS_API_CLIENT_ID]).delete()
    _, shop_secret = Client.objects.register(
        client_id=SHOP_CLIENT_ID,
        client_name="Shop",
        grant_types=[GrantType.CLIENT_CREDENTIALS],
        scope="orders:read orders:write",
        allowed_resources=[ORDERS_API],
    )
    _, orders_api_secret = Client.objects.register(
        client_id=ORDERS_API_CLIENT_ID,
        client_name="Orders API",
        resources=[ORDERS_API],
        resource_scopes="orders:read orders:write",
    )
    return shop_secret, orders_api_secret


@contextlib.contextmanager
def served(role: str, **environment: str) -> Iterator[str]:
    """Run one role as a process of its own; its address is ready to be asked."""
    command = [sys.executable, "-m", "example_project.serve", role]
    log = DIRECTORY / f"{role}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "EXAMPLE_DIR": str(DIRECTORY), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the pipes asked for are missing")
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise SystemExit(f"The {role} did not start:\n{log.read_text()}")
            yield address
        finally:
            process.stdin.close()


def _stay_up(demo: Demo) -> None:
    server, orders = demo.authorization_server, f"{demo.resource_server}/api/orders/"
    print(f"""
Both processes stay up until Ctrl-C.

  Admin    {server}/admin/    login {DEMO_LOGIN}, password {DEMO_LOGIN}

  TOKEN=$(curl -s -u {SHOP_CLIENT_ID}:{demo.shop_secret} -d grant_type=client_credentials {server}/oauth/token \\
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
  curl -i -H "Authorization: Bearer $TOKEN" {orders}
  curl -i -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"item": "Tea", "quantity": 2}}' {orders}
  curl -s -u {ORDERS_API_CLIENT_ID}:{demo.orders_api_secret} -d token=$TOKEN {server}/oauth/introspect
  curl -i -u {SHOP_CLIENT_ID}:{demo.shop_secret} -d token=$TOKEN {server}/oauth/revoke
""")
    with contextlib.suppress(KeyboardInterrupt):
        input("Press Enter or Ctrl-C to stop. ")


if __name__ == "__main__":
    sys.exit(main())
