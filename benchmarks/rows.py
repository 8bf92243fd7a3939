"""The rows of the table of speed: a scenario of this package, the scenario that it is compared with, and the goal."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """`goal` is the highest ratio of CPU per request, ours divided by the other, that is good enough."""

    title: str
    ours: str
    other: str
    goal: float


ROWS = [
    Row("Introspection, prepared statements, against hand-written SQL in a DRF view", "endpoint-prepared", "sql", 0.75),
    Row("Introspection against a view with two ORM look-ups", "endpoint", "orm", 0.40),
    Row("Introspection against django-oauth-toolkit, secrets not hashed", "endpoint", "toolkit", 0.30),
    Row("Introspection against the ORM view, startproject's middleware", "endpoint-middleware", "orm-middleware", 0.60),
    Row("Local view, prepared statements, against hand-written SQL", "local-prepared", "view-sql", 1.05),
    Row("Local view against DRF's TokenAuthentication", "local", "view-drf", 0.50),
    Row("Local view against django-oauth-toolkit", "local", "view-toolkit", 0.25),
    Row("Remote, kept in the process, against a dictionary", "memory", "view-dictionary", 1.05),
    Row("Remote, kept in the process, against simplejwt with RS256", "memory", "view-jwt-rs256", 0.75),
    Row("Remote, kept in Redis with tombstones, against one GET", "redis", "view-redis", 1.10),
    Row("Remote, a call for each request, against urllib3", "miss", "view-urllib3", 1.05),
    Row("JWT with RS256 against simplejwt", "jwt-rs256", "view-jwt-rs256", 1.0),
    Row("JWT with ES256 against simplejwt", "jwt-es256", "view-jwt-es256", 1.0),
    Row("Introspection of django-oauth-toolkit's tokens, hashed secrets", "bridge", "toolkit-hashed", 0.01),
    Row("View with django-oauth-toolkit's tokens against its own class", "bridge-view", "view-toolkit", 0.35),
    Row("Introspection, prepared, the client kept in the process, against that SQL", "endpoint-keeping", "sql", 0.75),
]
