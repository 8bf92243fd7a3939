"""Views protected by DRF itself and by an HTTP client alone."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from rest_framework.authentication import TokenAuthentication

from .inputs import CLIENT_ID, inputs
from .views import Floor, Resource


class DRFToken(Resource):
    authentication_classes = [TokenAuthentication]


class URLLib3Floor(Floor):
    """Post to the server over a connection that is kept alive, and check nothing of the answer."""

    def members(self, value: str) -> dict[str, Any]:
        pool, headers = _connection()
        members: dict[str, Any] = json.loads(
            pool.request("POST", "/introspect", body=f"token={value}", headers=headers).data
        )
        return members


@cache
def _connection() -> tuple[Any, dict[str, str]]:
    import urllib3

    credentials = base64.b64encode(f"{CLIENT_ID}:{inputs()['secret']}".encode()).decode()
    headers = {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    return urllib3.connection_from_url(inputs()["origin"]), headers


class ByURLLib3(Resource):
    authentication_classes = [URLLib3Floor]
