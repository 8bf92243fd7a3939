"""What an authorization server may do, by name: a new misbehaviour is a function here, or a body in `bodies.py`."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any, BinaryIO

from .bodies import BODIES, GOOD, NOT_JSON

MEBIBYTE = 1024 * 1024
DRIP = 0.02
"""Seconds between two bytes: far below any timeout, so that only a deadline on the whole call helps."""

Behaviour = Callable[..., None]
BEHAVIOURS: dict[str, Behaviour] = {}
BROKEN: list[str] = []
"""Names of the behaviours that are no introspection response and end by themselves."""
HANGING: list[str] = []
"""Names of those that never end."""


@dataclass
class Exchange:
    """One request and the socket to answer it on; `first` on its connection."""

    connection: socket.socket
    reader: BinaryIO
    released: threading.Event
    hanging: threading.Event
    headers: Message
    token: str = ""
    """The token that the request asks about."""
    first: bool = True
    close: bool = False

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def respond(self, body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}"]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def json(self, value: Any, *headers: str) -> None:
        self.respond(json.dumps(value).encode(), "Content-Type: application/json", *headers)

    def drip(self, data: bytes) -> None:
        """Send the same bytes one by one, until the server ends or the client is gone."""
        while not self.released.wait(DRIP):
            self.send(data)
        self.close = True

    def hang(self) -> None:
        self.hanging.set()
        self.released.wait()
        self.close = True

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.reader.close()
        self.connection.close()
        self.close = True


def behaviour(name: str, *kinds: list[str]) -> Callable[[Behaviour], Behaviour]:
    """Register a function under a name, and in the lists of names it belongs to."""

    def register(function: Behaviour) -> Behaviour:
        if name in BEHAVIOURS:
            raise ValueError(f"two behaviours are called {name!r}")
        BEHAVIOURS[name] = function
        for kind in kinds:
            kind.append(name)
        return function

    return register


@behaviour("active")
def active(exchange: Exchange, **members: Any) -> None:
    """Answer well; None takes a default member away."""
    good = {"active": True, "token_type": "Bearer", "sub": "alice", "client_id": "app", "scope": "orders:read"}
    exchange.json({name: value for name, value in (good | members).items() if value is not None})


@behaviour("inactive")
def inactive(exchange: Exchange) -> None:
    exchange.json({"active": False})


@behaviour("json")
def json_document(exchange: Exchange, **members: Any) -> None:
    """Answer 200 with an object."""
    exchange.json(members)


@behaviour("fails at first")
def fails_at_first(exchange: Exchange, count: list[int], code: int) -> None:
    """Answer with a status as often as `count` says, then well."""
    if count[0]:
        count[0] -= 1
        status(exchange, code)
    else:
        active(exchange)


@behaviour("answers when told")
def answers_when_told(exchange: Exchange, told: threading.Event, **members: Any) -> None:
    exchange.hanging.set()
    told.wait(timeout=10)
    active(exchange, **members)


@behaviour("sends a body when told")
def sends_a_body_when_told(exchange: Exchange, told: threading.Event, content: bytes) -> None:
    told.wait(timeout=10)
    body(exchange, content)


@behaviour("answers some tokens in another way")
def answers_some_tokens(exchange: Exchange, prefix: str, name: str, arguments: dict[str, Any]) -> None:
    """Show the behaviour with this name to tokens with a prefix, and answer all others well."""
    chosen, own = (name, arguments) if exchange.token.startswith(prefix) else ("active", {})
    BEHAVIOURS[chosen](exchange, **own)


@behaviour("judges at once and answers when told")
def judges_at_once(exchange: Exchange, revoked: threading.Event, told: threading.Event) -> None:
    """Have a slow way back: the answer is from the moment of the question."""
    was_revoked = revoked.is_set()
    exchange.hanging.set()
    told.wait(timeout=10)
    (inactive if was_revoked else active)(exchange)


@behaviour("takes one bearer token")
def takes_one_bearer_token(exchange: Exchange, good: list[str]) -> None:
    """Answer well to whoever shows the last of the tokens in `good`."""
    if exchange.headers.get("Authorization") == f"Bearer {good[-1]}":
        active(exchange)
    else:
        status(exchange, 401)


@behaviour("issues tokens")
def issues_tokens(exchange: Exchange, issued: list[str], **members: Any) -> None:
    """Be a token endpoint; what it issued is added to `issued`."""
    issued.append(f"service-token-{len(issued)}")
    exchange.json({"access_token": issued[-1], "token_type": "Bearer", "expires_in": 3600, **members})


@behaviour("body")
def body(exchange: Exchange, content: bytes, content_type: str = "application/json") -> None:
    """Answer 200 with any bytes."""
    exchange.respond(content, f"Content-Type: {content_type}")


@behaviour("status")
def status(exchange: Exchange, code: int, *, headers: tuple[str, ...] = (), content: bytes = b"{}") -> None:
    """Answer with any status."""
    exchange.respond(content, "Content-Type: application/json", *headers, status=f"{code} Status")


@behaviour("sets a cookie")
def sets_a_cookie(exchange: Exchange) -> None:
    exchange.json({"active": False}, "Set-Cookie: session=theirs; Path=/")


@behaviour("closes after each answer without a word")
def closes_after_each_answer(exchange: Exchange) -> None:
    active(exchange)
    exchange.close = True


@behaviour("closes instead of a second answer")
def closes_instead_of_a_second_answer(exchange: Exchange) -> None:
    """Look alive until a kept-alive connection is used again: the race that a client cannot see coming."""
    if exchange.first:
        active(exchange)
    else:
        exchange.close = True


@behaviour("answers when all have come")
def answers_when_all_have_come(exchange: Exchange, barrier: threading.Barrier) -> None:
    try:
        barrier.wait(timeout=10)
    except threading.BrokenBarrierError:
        exchange.close = True
    else:
        active(exchange)


@behaviour("closes before the answer", BROKEN)
def closes_before_the_answer(exchange: Exchange) -> None:
    exchange.close = True


@behaviour("resets before the answer", BROKEN)
def resets_before_the_answer(exchange: Exchange) -> None:
    exchange.reset()


@behaviour("resets in the middle of the body", BROKEN)
def resets_in_the_middle(exchange: Exchange) -> None:
    exchange.respond(b'{"active": tr', "Content-Type: application/json", length=1000)
    exchange.reset()


@behaviour("body shorter than its length", BROKEN)
def body_cut_short(exchange: Exchange) -> None:
    exchange.respond(b'{"active": true}', "Content-Type: application/json", length=1000)
    exchange.close = True


@behaviour("body over the limit", BROKEN)
def body_over_the_limit(exchange: Exchange) -> None:
    exchange.respond(b'{"active": true}' + b" " * MEBIBYTE, "Content-Type: application/json")


@behaviour("chunked body without an end", BROKEN)
def chunked_without_an_end(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not exchange.released.is_set():
        exchange.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


@behaviour("broken chunk", BROKEN)
def broken_chunk(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    exchange.close = True


@behaviour("headers without an end", BROKEN)
def headers_without_an_end(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while not exchange.released.is_set():
        exchange.send(b"X-Padding: " + b"x" * 0x10000 + b"\r\n")


@behaviour("not HTTP", BROKEN)
def not_http(exchange: Exchange) -> None:
    exchange.send(b"220 mail.example.com ESMTP\r\n\r\n")
    exchange.close = True


@behaviour("gzip")
def gzip_body(
    exchange: Exchange, content: bytes = GOOD, encoding: str = "gzip", status: str = "200 OK", headers: Any = ()
) -> None:
    packed = (f"Content-Encoding: {encoding}", "Content-Type: application/json", *headers)
    exchange.respond(gzip.compress(content), *packed, status=status)


@behaviour("gzip of a body over the limit", BROKEN)
def gzip_bomb(exchange: Exchange) -> None:
    gzip_body(exchange, GOOD + b" " * MEBIBYTE)


@behaviour("gzip cut off", BROKEN)
def gzip_cut_off(exchange: Exchange) -> None:
    exchange.respond(gzip.compress(GOOD)[:-1], "Content-Type: application/json", "Content-Encoding: gzip")


@behaviour("gzip with something behind it", BROKEN)
def gzip_and_more(exchange: Exchange) -> None:
    exchange.respond(gzip.compress(GOOD) + b"{}", "Content-Type: application/json", "Content-Encoding: gzip")


@behaviour("two packings", BROKEN)
def packed_twice(exchange: Exchange) -> None:
    gzip_body(exchange, gzip.compress(GOOD), encoding="gzip, gzip")


@behaviour("plain body that claims to be gzip", BROKEN)
def claims_to_be_gzip(exchange: Exchange) -> None:
    exchange.respond(GOOD, "Content-Type: application/json", "Content-Encoding: gzip")


@behaviour("plain body that claims to be packed", BROKEN)
def claims_to_be_packed(exchange: Exchange) -> None:
    exchange.respond(GOOD, "Content-Type: application/json", "Content-Encoding: br")


@behaviour("hangs before the answer", HANGING)
def hangs_before_the_answer(exchange: Exchange) -> None:
    exchange.hang()


@behaviour("hangs in the middle of the body", HANGING)
def hangs_in_the_middle(exchange: Exchange) -> None:
    exchange.respond(b'{"active": true', "Content-Type: application/json", length=1000)
    exchange.hang()


@behaviour("drips its headers", HANGING)
def drips_its_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    exchange.drip(b"x")


@behaviour("drips its body", HANGING)
def drips_its_body(exchange: Exchange) -> None:
    exchange.respond(b"", "Content-Type: application/json", length=MEBIBYTE)
    exchange.drip(b" ")


@behaviour("says 100 Continue for ever", HANGING)
def says_continue_for_ever(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def _status(code: int, *headers: str) -> None:
    """Send what would be a good answer, were it not for the status."""
    content = b"" if code in (204, 304) else GOOD
    behaviour(f"status {code}", BROKEN)(lambda exchange: status(exchange, code, headers=headers, content=content))


def _body(name: str, content: bytes, content_type: str = "application/json") -> None:
    behaviour(name, BROKEN)(lambda exchange: body(exchange, content, content_type))


for _code in (201, 204, 206, 304, 400, 401, 403, 404, 500, 502, 504):
    _status(_code)
for _code in (429, 503):
    _status(_code, "Retry-After: 7")
for _name, _content in BODIES.items():
    _body(_name, _content)
for _content_type in NOT_JSON:
    _body(f"JSON as {_content_type or 'nothing'}", GOOD, _content_type)
