"""The same resource server, which says what it protects."""

from __future__ import annotations

from .settings import *  # noqa: F403
from .settings import TOKEN_INTROSPECTION

ROOT_URLCONF = "tests.projects.resource_only.metadata_urls"
TOKEN_INTROSPECTION["BACKENDS"]["default"]["OPTIONS"]["issuer"] = "https://auth.example.com"
