"""Servers that are stopped, killed and restarted while the traffic goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import psutil

from .servers import Servers
from .site import Server

Fault = Callable[[Servers, Random], Awaitable[None]]
PAUSE, AWAY, KILLS = 10, 5, 10
"""Seconds of a pause; seconds between a stop and a start; workers that are killed."""
SETTLE = 20
"""Seconds of traffic after a fault."""


async def pause_redis(servers: Servers, _: Random) -> None:
    """Let Redis hang: it takes connections and answers nothing."""
    servers.redis.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSE)
    finally:
        servers.redis.process.send_signal(signal.SIGCONT)


async def lose_redis(servers: Servers, _: Random) -> None:
    """Kill Redis, and start it empty."""
    servers.redis.kill()
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(servers.redis.start)


async def restart_postgresql(servers: Servers, _: Random) -> None:
    """End all connections at once, and recover."""
    await asyncio.to_thread(servers.postgresql.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(servers.postgresql.start)


async def kill_workers(servers: Servers, random: Random) -> None:
    """Kill workers of gunicorn in the middle of requests, one after the other."""
    kinds = (Server.AUTHORIZATION, Server.AUTHORIZATION, Server.API)
    for _ in range(KILLS):
        workers = servers.web[random.choice(kinds)].workers()
        with suppress(IndexError, psutil.NoSuchProcess):  # none is there, or it has just ended
            random.choice(workers).kill()
        await asyncio.sleep(2)


async def restart_authorization_server(servers: Servers, _: Random) -> None:
    """Stop the authorization server as a deployment does, and start it again."""
    server = servers.web[Server.AUTHORIZATION]
    server.process.terminate()
    await asyncio.to_thread(server.wait_until_it_ended)
    await asyncio.sleep(AWAY)
    server.start()
    await asyncio.to_thread(server.wait_until_it_answers)


FAULTS: dict[str, Fault] = {
    "Redis hangs": pause_redis,
    "Redis restarts empty": lose_redis,
    "PostgreSQL restarts": restart_postgresql,
    "workers are killed": kill_workers,
    "the authorization server restarts": restart_authorization_server,
}
