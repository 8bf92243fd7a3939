"""The claims of a token in a test: usual values, changed by those of the test."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..protocol.errors import InvalidResponse
from ..protocol.introspection import parse_response
from ..protocol.scope import format_scope, parse_scope

CLIENT_ID = "test-client"
LIFETIME = 60 * 60


def complete(scope: str | Iterable[str], claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of an access token of a client that expires in an hour, with these changed.

    A claim that is None is left out. Raises ValueError for a value that no introspection response may have.
    """
    now = int(time.time())
    scope = scope if isinstance(scope, str) else format_scope(scope)
    parse_scope(scope)
    client_id = claims.get("client_id", CLIENT_ID)
    usual = {"token_type": "Bearer", "iat": now, "exp": now + LIFETIME, "client_id": client_id, "sub": client_id}
    completed = {**usual, "scope": scope or None, **claims}
    try:
        parse_response("application/json", json.dumps({**completed, "active": True}).encode())
    except InvalidResponse as problem:
        raise ValueError(f"these claims are no answer about a token: {problem}") from None
    return completed
