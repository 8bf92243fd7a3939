"""What the servers, their clients and the oracle agree on: clients, resources, lifetimes and protected views."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

ORDERS, INVOICES = "https://api.example.com/orders", "https://api.example.com/invoices"
READ, WRITE, INVOICES_READ = "orders:read", "orders:write", "invoices:read"
SECRET = "for the soak test alone, forty characters"

# Short lifetimes: tokens, tombstones and rows must reach their steady number in the first fifth of a long run.
ACCESS_TOKEN_LIFETIME = 60
REFRESH_TOKEN_LIFETIME, REFRESH_TOKEN_IDLE = 100, 80
MAX_AGE, INACTIVE_MAX_AGE, TIMEOUT, LEEWAY = 10, 5, 5, 2

MACHINES = ("machine-opaque", "machine-jwt")
"""Clients that are never disabled; they also get the grants of users."""
SWITCHED = ("switched-opaque", "switched-jwt")
"""Clients that are disabled and enabled."""
SWEPT = ("swept-opaque", "swept-jwt")
"""Clients whose tokens are revoked all at once."""
ORDERS_API, GATEWAY = "orders-api", "gateway"
"""Clients that introspect: one may ask about its own resource, the other, with a bearer token, about any."""
USERS = 20


def issues_jwt(client_id: str) -> bool:
    return client_id.endswith("-jwt")


class Server(Enum):
    """A web server of the run."""

    AUTHORIZATION = "authorization server"
    API = "resource server"
    ASYNC_API = "async resource server"


class Source(Enum):
    """Where a protected view has its answers from."""

    ASKED = "the tables, or the introspection endpoint for each request"
    KEPT = "answers of the endpoint that are kept, and tombstones"
    SIGNED = "the signature of a JWT, and tombstones"


class View(NamedTuple):
    """A protected view: where it is, the backend that it uses, and the scope that it needs."""

    server: Server
    backend: str
    source: Source
    scope: str = READ
    is_class: bool = False


VIEWS = {
    "local-class": View(Server.AUTHORIZATION, "default", Source.ASKED, is_class=True),
    "local": View(Server.AUTHORIZATION, "default", Source.ASKED),
    "local-write": View(Server.AUTHORIZATION, "default", Source.ASKED, WRITE, is_class=True),
    "asked": View(Server.API, "asked", Source.ASKED),
    "kept-class": View(Server.API, "default", Source.KEPT, is_class=True),
    "kept-write": View(Server.API, "default", Source.KEPT, WRITE),
    "signed-class": View(Server.API, "signed", Source.SIGNED, is_class=True),
    "signed": View(Server.API, "signed", Source.SIGNED),
    "async-asked": View(Server.ASYNC_API, "asked", Source.ASKED),
    "async-kept": View(Server.ASYNC_API, "default", Source.KEPT),
    "async-signed": View(Server.ASYNC_API, "signed", Source.SIGNED),
}
