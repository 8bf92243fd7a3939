"""Real web servers around a small project: collected when `make web-servers` sets WEB_SERVERS=1."""

from __future__ import annotations

import os

from .running import postgresql  # noqa: F401  (a fixture)

collect_ignore_glob = [] if os.environ.get("WEB_SERVERS") else ["test_*.py"]
