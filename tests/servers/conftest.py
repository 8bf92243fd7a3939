"""Real web servers around a small project: collected when `make servers` sets SERVERS=1."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("SERVERS") else ["test_*.py"]
