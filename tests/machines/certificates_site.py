"""Both sides on SQLite and Redis, for clients with certificates: behind nginx, or in a server that ends TLS."""

from __future__ import annotations

import os

from tests import services

from .nginx_site import *  # noqa: F403
from .nginx_site import TOKEN_INTROSPECTION

CACHES = {"default": services.cache()}
_BEHIND_NGINX = {"FORM": "pem", "HEADER": "X-SSL-Client-Cert", "VALIDATED": "X-SSL-Client-Verify"}
TOKEN_INTROSPECTION = {
    **TOKEN_INTROSPECTION,
    "CLIENT_CERTIFICATES": {"FORM": "server"} if os.environ.get("ENDS_TLS") else _BEHIND_NGINX,
}
