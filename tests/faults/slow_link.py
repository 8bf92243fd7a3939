"""A loopback TCP proxy before a server: it passes bytes on, late, up to a limit, or not at all."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class SlowLink:
    """Pass connections on to `port`; the attributes may be changed at any time.

    `delay` is in seconds and before each piece that comes from the server. With `is_black_hole` nothing passes, and
    nothing is closed. After `cut_after` bytes from the server a connection is closed.
    """

    def __init__(self, port: int) -> None:
        self.delay, self.is_black_hole, self.cut_after = 0.0, False, -1
        self.connections = 0
        self._target = port
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self._listener.close()
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def cut(self) -> None:
        """Close every connection, as a restart of the server does."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    self._threads.append(
                        threading.Thread(target=self._pass_on, args=(source, target, source is server))
                    )
                    self._threads[-1].start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer:
                    self._over.wait(self.delay)
                while self.is_black_hole and not self._over.wait(0.01):
                    pass
                if is_answer and 0 <= self.cut_after < passed + len(data):
                    target.sendall(data[: self.cut_after - passed])
                    break
                target.sendall(data)
                passed += len(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
