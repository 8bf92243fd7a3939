"""The API of personal tokens, described by drf-spectacular."""

from __future__ import annotations

from tests.projects.openapi.full import *  # noqa: F403

ROOT_URLCONF = "tests.projects.openapi.personal_token_urls"
