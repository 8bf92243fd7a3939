"""Other frameworks, in their newest releases: collected when `make integrations` sets INTEGRATIONS=1."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("INTEGRATIONS") else ["test_*.py"]
