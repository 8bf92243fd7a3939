"""What the processes and the stores hold, looked at every few seconds."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from time import monotonic

import psutil
import psycopg
import redis

from .record import Record
from .servers import Servers, WebServer

MIB = 1 << 20
KINDS = {
    "tombstones": re.compile(rb":introspection:revoked:[0-9a-f]+$"),
    "kept answers": re.compile(rb":introspection:answer:"),
}


class Watcher:
    """Take samples until the run is over; what does not answer during a fault is missing in a sample."""

    def __init__(self, servers: Servers, record: Record) -> None:
        self._servers, self._record = servers, record

    async def work(self, over: asyncio.Event, every: float) -> None:
        while not over.is_set():
            self._record.samples.append(await asyncio.to_thread(self.sample))
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), every)

    def sample(self) -> dict[str, float]:
        found: dict[str, float] = {"moment": monotonic()}
        for kind, server in self._servers.web.items():
            with suppress(psutil.Error):
                found |= {f"{kind.value}: {name}": value for name, value in _of_processes(server).items()}
        with suppress(psycopg.Error):
            found |= {f"PostgreSQL: {name}": value for name, value in self._of_postgresql().items()}
        with suppress(redis.RedisError):
            found |= {f"Redis: {name}": value for name, value in self._of_redis().items()}
        return found

    def _of_postgresql(self) -> dict[str, float]:
        url = self._servers.postgresql.url
        with psycopg.connect(url, connect_timeout=2, options="-c statement_timeout=2000") as connection:
            backends = "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
            rows = "SELECT count(*) FROM introspection_token"
            return {
                name: connection.execute(statement).fetchone()[0]  # type: ignore[index]
                for name, statement in (("connections", backends), ("rows of tokens", rows))
            }

    def _of_redis(self) -> dict[str, float]:
        port = self._servers.redis.port
        with redis.Redis(port=port, socket_timeout=2, socket_connect_timeout=2) as client:
            state = client.info()
            keys = list(client.scan_iter(count=1000))
        found = {name: sum(1 for key in keys if pattern.search(key)) for name, pattern in KINDS.items()}
        return {
            "connections": state["connected_clients"] - 1,
            "memory, MiB": state["used_memory"] / MIB,
            **found,
            "other keys": len(keys) - sum(found.values()),
        }


def _of_processes(server: WebServer) -> dict[str, float]:
    processes = server.workers()
    return {
        "memory, MiB": sum(process.memory_info().rss for process in processes) / MIB,
        "descriptors": sum(process.num_fds() for process in processes),
        "threads": sum(process.num_threads() for process in processes),
    }
