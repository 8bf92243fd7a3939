"""The requests that are sent to another server, and its replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

_ACCEPT = {"Accept": "application/json", "Accept-Encoding": "identity"}
_FORM = "application/x-www-form-urlencoded"

Parameters = Mapping[str, str | Sequence[str]]
"""The parameters of a form; one with several values is repeated."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, whose headers and body are never shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def get(cls, url: str) -> Request:
        """Ask for a document."""
        return cls("GET", url, _ACCEPT)

    @classmethod
    def post(cls, url: str, form: Parameters, headers: Mapping[str, str]) -> Request:
        """Send a form."""
        return cls("POST", url, {**_ACCEPT, "Content-Type": _FORM, **headers}, urlencode(form, doseq=True).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, read to its end; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    host: str = ""
    """The host that was asked, for messages."""

    @property
    def is_packed(self) -> bool:
        """Whether the body has an encoding that cannot be read here."""
        return self.headers.get("content-encoding", "identity").lower() != "identity"
