"""What the workers need to know of the data that was made for a run: a JSON file that the environment names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "BENCHMARK_INPUTS"
CLIENT_ID = "benchmark"
HASHED_CLIENT_ID = "benchmark-hashed"
RESOURCE = "https://api.example.com/orders"
ISSUER = "https://auth.example.com"
NO_INPUTS: dict[str, Any] = {
    "database": None,
    "secret": "",
    "origin": "http://127.0.0.1:1",
    "tokens": [],
    "drf_tokens": [],
    "jwts": {},
    "keys": {},
}


def inputs() -> dict[str, Any]:
    """Return the inputs; empty ones in the process that makes them."""
    path = os.environ.get(VARIABLE)
    return json.loads(Path(path).read_text()) if path else NO_INPUTS
