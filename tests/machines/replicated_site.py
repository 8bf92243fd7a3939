"""Both sides on a primary and a replica, with the settings and the router of the documentation.

PRIMARY and REPLICA are the ports of the servers when the site starts.
"""

from __future__ import annotations

import os
from typing import Any

from shop import settings as documented  # type: ignore[import-not-found]  # written by the test

from tests.settings import *  # noqa: F403

DATABASES: dict[str, Any] = documented.DATABASES
DATABASE_ROUTERS = documented.DATABASE_ROUTERS
PORTS = {"sync-1.internal": os.environ["PRIMARY"], "sync-2.internal": os.environ["REPLICA"]}
for entry in DATABASES.values():
    hosts = entry["HOST"].split(",")
    entry |= {"NAME": "postgres", "USER": "postgres", "HOST": "127.0.0.1,127.0.0.1"}
    entry["PORT"] = ",".join(PORTS[host] for host in hosts)
