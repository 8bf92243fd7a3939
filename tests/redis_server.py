"""A Redis server of a test alone, which may be killed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.web_servers.running import free_port


class RedisServer:
    """A server without persistence, on a port of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = free_port()
        self.start()

    def start(self, *options: str) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, "--dir", str(self._directory), *options], stdout=subprocess.DEVNULL)
        self.client = redis.Redis(port=self.port)
        for _ in range(1500):
            try:
                self.client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        pytest.fail("the Redis server does not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
