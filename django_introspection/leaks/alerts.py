"""The alerts of a secret scanner, in the format of GitHub's secret scanning partner program."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..protocol.errors import InvalidRequest
from ..protocol.strict_json import parse_json_array

MAX_ALERTS = 10_000
"""The most credentials in one message."""
MAX_URL = 2000
"""Characters of the place of a leak that are kept for logs and messages."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A credential that was found, its kind in the scanner's words, and the place, which may be empty."""

    value: str = field(repr=False)
    kind: str = ""
    url: str = ""


def read_alerts(body: bytes) -> Sequence[Alert]:
    """Return the alerts in the body of a message whose signature was verified; raises InvalidRequest."""
    try:
        entries = parse_json_array(body)
    except ValueError as problem:
        raise InvalidRequest(f"The body {problem}.") from None
    if len(entries) > MAX_ALERTS:
        raise InvalidRequest("The body has too many alerts.", status=413)
    return [_read(entry) for entry in entries]


def label(alert: Alert, was_issued: bool) -> dict[str, str]:
    """Return the answer to one alert; the credential itself is not sent back."""
    return {
        "token_hash": hashlib.sha256(alert.value.encode()).hexdigest(),
        "token_type": alert.kind,
        "label": "true_positive" if was_issued else "false_positive",
    }


def _read(entry: Any) -> Alert:
    members = entry if isinstance(entry, dict) else {}
    value, kind, url = members.get("token"), members.get("type", ""), members.get("url", "")
    if not isinstance(value, str) or not value or not isinstance(kind, str) or not isinstance(url, str):
        raise InvalidRequest("Each alert must be an object with the strings token, type and url.")
    return Alert(value, kind, url[:MAX_URL])
