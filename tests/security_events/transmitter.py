"""A transmitter of security events on loopback, whose tokens joserfc makes, none of our own code in the making."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from django.test import Client as Browser

from django_introspection.security_events.models import ReceivedStream
from tests import jose
from tests.backends.issuers import JWKS, public, publish
from tests.misbehaving.server import MisbehavingServer

AUDIENCE = "https://api.example.com/events"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
FORM = "application/x-www-form-urlencoded"
SET = "application/secevent+jwt"


class Transmitter:
    """Sign events with the key of a server, and push them to this project."""

    def __init__(self, server: MisbehavingServer) -> None:
        self.server, self.issuer = server, server.origin
        publish(server, public())
        self.number = 0

    def stream(self, **values: Any) -> ReceivedStream:
        members = {"issuer": self.issuer, "audience": AUDIENCE, "jwks_uri": f"{self.issuer}{JWKS}", **values}
        return ReceivedStream.objects.create(**members)

    def iss_sub(self, sub: str = "alice") -> dict[str, str]:
        return {"format": "iss_sub", "iss": self.issuer, "sub": sub}

    def claims(self, event: str = f"{CAEP}session-revoked", /, members: Any = None, **changes: Any) -> dict[str, Any]:
        """Return the claims of an event; None takes a claim away."""
        self.number += 1
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "iat": now,
            "jti": f"event-{self.number}",
            "sub_id": self.iss_sub(),
            "events": {event: {} if members is None else members},
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def event(self, *arguments: Any, header: Any = None, key: str = "one", **changes: Any) -> str:
        return self.signed(self.claims(*arguments, **changes), header=header, key=key)

    def signed(self, claims: Any, *, header: Any = None, key: str = "one", typ: str = "secevent+jwt") -> str:
        members = {"alg": "ES256", "typ": typ, "kid": "one", **(header or {})}
        kept = {name: value for name, value in members.items() if value is not None}
        return jose.sign(kept, claims, jose.key("ES256", key), alg="ES256")

    def logout(self, *, header: Any = None, key: str = "one", **changes: Any) -> str:
        now = int(time.time())
        members = {"sub_id": None, "sub": "alice", "exp": now + 120, "events": {LOGOUT: {}}, **changes}
        return self.signed(self.claims(**members), header=header, key=key, typ="logout+jwt")


def push(token: str, *, content_type: str = SET, **headers: str) -> Any:
    return Browser(enforce_csrf_checks=True).post("/events/", token, content_type=content_type, headers=headers)


def send_logout(token: str, **more: str) -> Any:
    body = urlencode({"logout_token": token, **more})
    return Browser(enforce_csrf_checks=True).post("/events/logout", body, content_type=FORM)
