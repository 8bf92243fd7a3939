"""Call other APIs from a project without tables, also after a fork; run by tests/service_tokens/test_processes.py."""

from __future__ import annotations

import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    from django.conf import settings

    entry = {"token_url": os.environ["TOKEN_URL"], "client_id": "orders-api", "client_secret": "secret"}
    settings.ROOT_URLCONF = __name__
    settings.TOKEN_INTROSPECTION = {"SERVICES": {"billing": entry}}
    call_command("check", fail_level="WARNING", stdout=sys.stderr)
    from django_introspection.services import service_token
    from django_introspection.services.registry import services

    before, lock = service_token("billing"), services._lock
    with lock:  # the one that the child inherits stays locked
        child = os.fork()
        if not child:
            print("child:", service_token("billing").value, flush=True)
            services.close()
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"the child ended with {status}")
    print("parent:", before.value, service_token("billing").value)
    print("models:", [name for name in sys.modules if name.startswith("django_introspection.models")])
    services.close()


urlpatterns: list[object] = []

if __name__ == "__main__":
    main()
