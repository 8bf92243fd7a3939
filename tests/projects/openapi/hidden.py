"""Probe the endpoints in a process where drf-spectacular cannot be imported."""

from __future__ import annotations

import sys

import time_machine

from tests.projects import probe_endpoints

if __name__ == "__main__":
    sys.modules["drf_spectacular"] = None  # type: ignore[assignment]
    with time_machine.travel(probe_endpoints.NOW, tick=False):
        probe_endpoints.main()
