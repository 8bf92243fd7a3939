"""Primaries, replicas and what stands before them, as real servers: collected when `make machines` sets MACHINES=1."""

from __future__ import annotations

import os

from tests.web_servers.running import postgresql  # noqa: F401  (a fixture)

collect_ignore_glob = [] if os.environ.get("MACHINES") else ["test_*.py"]
