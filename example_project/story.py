"""The main job, start to end, over real HTTP: the first unexpected answer raises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2

from .settings.base import ORDERS_API, ORDERS_API_CLIENT_ID, SHOP_CLIENT_ID
from .transcript import Transcript


class UnexpectedAnswerError(Exception):
    """The story did not go as it must."""


@dataclass(frozen=True)
class Demo:
    """Two running servers and the secrets of the two demo clients."""

    authorization_server: str
    resource_server: str
    shop_secret: str = field(repr=False)
    orders_api_secret: str = field(repr=False)


class Story:
    def __init__(self, demo: Demo, client: httpx2.Client, transcript: Transcript) -> None:
        self._demo = demo
        self._client = client
        self._transcript = transcript

    def play(self) -> None:
        heading = self._transcript.heading
        heading("1. The shop gets an access token to read orders.")
        token = self._get_token()
        heading("2. The orders API may ask what the token means.")
        self._introspect(token, active=True)
        heading("3. The token opens the orders: in another process, which asks, and here, which looks.")
        self._orders(self._demo.resource_server, 200, token)
        self._orders(self._demo.authorization_server, 200, token)
        heading("4. To write, its scope does not reach.")
        self._orders(self._demo.resource_server, 403, token, write=True)
        heading("5. Without a token, nothing opens.")
        self._orders(self._demo.resource_server, 401)
        heading("6. The shop revokes the token.")
        self._revoke(token)
        heading("7. From now on it means nothing.")
        self._introspect(token, active=False)
        heading("8. And it opens nothing, here and there.")
        self._orders(self._demo.resource_server, 401, token)
        self._orders(self._demo.authorization_server, 401, token)

    def _get_token(self) -> str:
        form = {"grant_type": "client_credentials", "scope": "orders:read", "resource": ORDERS_API}
        token: str = self._as_shop("token", form).json()["access_token"]
        return token

    def _revoke(self, token: str) -> None:
        self._as_shop("revoke", {"token": token})

    def _as_shop(self, endpoint: str, form: dict[str, str]) -> httpx2.Response:
        url = f"{self._demo.authorization_server}/oauth/{endpoint}"
        return self._send("the shop", 200, "POST", url, data=form, auth=(SHOP_CLIENT_ID, self._demo.shop_secret))

    def _introspect(self, token: str, *, active: bool) -> None:
        url = f"{self._demo.authorization_server}/oauth/introspect"
        auth = (ORDERS_API_CLIENT_ID, self._demo.orders_api_secret)
        response = self._send("the orders API", 200, "POST", url, data={"token": token}, auth=auth)
        if response.json()["active"] is not active:
            raise UnexpectedAnswerError(f"active is not {active}")

    def _orders(self, server: str, status: int, token: str | None = None, *, write: bool = False) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        method, body = ("POST", {"json": {"item": "Tea", "quantity": 2}}) if write else ("GET", {})
        self._send("the shop", status, method, f"{server}/api/orders/", headers=headers, **body)

    def _send(self, who: str, status: int, method: str, url: str, **request: Any) -> httpx2.Response:
        response = self._client.request(method, url, **request)
        self._transcript.exchange(who, response)
        if response.status_code != status:
            raise UnexpectedAnswerError(f"{method} {url}: {response.status_code} instead of {status}")
        return response
