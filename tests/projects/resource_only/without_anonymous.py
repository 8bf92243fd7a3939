"""The same project, where nobody thought of the anonymous user."""

from __future__ import annotations

from tests.projects.resource_only.settings import *  # noqa: F403 - a settings module is its names

REST_FRAMEWORK = {}
