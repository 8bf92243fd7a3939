"""Requests and answers as a person reads them; values of tokens and secrets are shortened."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TextIO

import httpx2

_VALUE = re.compile(r"dit_(at|rt|cs)_[0-9A-Za-z]{49}")
_SHOWN_HEADERS = ("WWW-Authenticate", "Retry-After")


class Transcript:
    """Print to a stream, in colour where it is a terminal and NO_COLOR is not set."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colour = self._stream.isatty() and "NO_COLOR" not in os.environ

    def heading(self, text: str) -> None:
        self.line()
        self.line(text, "1")

    def exchange(self, who: str, response: httpx2.Response) -> None:
        """Print a request and its answer."""
        request = response.request
        self.line(f"  {who} → {request.method} {request.url}", "36")
        for line in _credentials(request) + _body(request.headers, request.content):
            self.line(f"      {line}", "2")
        good = response.status_code < httpx2.codes.BAD_REQUEST
        self.line(f"    {response.status_code} {response.reason_phrase}", "32" if good else "33")
        shown = [f"{name}: {response.headers[name]}" for name in _SHOWN_HEADERS if name in response.headers]
        for line in shown + _body(response.headers, response.content):
            self.line(f"      {line}")

    def line(self, text: str = "", colour: str = "") -> None:
        text = _VALUE.sub(lambda found: f"{found[0][:11]}…{found[0][-4:]}", text)
        print(f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text, file=self._stream, flush=True)


def _credentials(request: httpx2.Request) -> list[str]:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    shown = {"": [], "Basic": ["Authorization: Basic (client ID and secret)"]}
    return shown.get(scheme, [f"Authorization: {scheme} {value}"])


def _body(headers: httpx2.Headers, content: bytes) -> list[str]:
    if headers.get("Content-Type", "").startswith("application/json") and content:
        return json.dumps(json.loads(content), indent=2).splitlines()
    return content.decode().splitlines()
