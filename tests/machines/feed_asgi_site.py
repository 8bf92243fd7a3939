"""The authorization server of `feed_site` on an asynchronous web server."""

from __future__ import annotations

from tests.machines.feed_site import *  # noqa: F403
from tests.machines.feed_site import DATABASES as _DATABASES
from tests.machines.feed_site import TOKEN_INTROSPECTION as _TOKEN_INTROSPECTION

DATABASES = {"default": {**_DATABASES["default"], "CONN_MAX_AGE": 0}}  # as Django asks for with asynchronous servers
TOKEN_INTROSPECTION = {**_TOKEN_INTROSPECTION, "REVOCATION_FEED": {}}
