"""The data of a run: the same users, clients and tokens in the tables of every package."""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import jose

from .inputs import CLIENT_ID, HASHED_CLIENT_ID, ISSUER, RESOURCE

ALGORITHMS = ("RS256", "ES256")
SCOPE = "read write"
CLIENTS = 1000


def fill(count: int) -> dict[str, Any]:
    """Fill the tables with `count` tokens, and return the values that the workers send."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    from django_introspection.protocol import opaque

    secret = opaque.generate(opaque.CLIENT_SECRET)
    tokens = [opaque.generate(opaque.ACCESS_TOKEN) for _ in range(count)]
    drf_tokens = [secrets.token_hex(20) for _ in range(count)]
    users = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"user-{number}") for number in range(count)]
    )
    now = datetime.now(UTC)
    _fill_floors(tokens, users, secret, now)
    _fill_peers(tokens, drf_tokens, users, secret, now)
    _fill_ours(tokens, users, secret, now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"secret": secret, "tokens": tokens, "drf_tokens": drf_tokens, **_keys_and_jwts()}


def _fill_floors(tokens: list[str], users: list[Any], secret: str, now: datetime) -> None:
    from .floors import sha256
    from .models import FloorClient, FloorToken

    names = [CLIENT_ID, *(f"client-{number}" for number in range(1, CLIENTS))]
    clients = FloorClient.objects.bulk_create(
        [FloorClient(client_id=name, secret_digest=sha256(secret if name == CLIENT_ID else name)) for name in names]
    )
    FloorToken.objects.bulk_create(
        [
            FloorToken(
                digest=sha256(value),
                client=clients[number % CLIENTS],
                user=users[number],
                scope=SCOPE,
                issued_at=now,
                expires_at=now + timedelta(days=1),
            )
            for number, value in enumerate(tokens)
        ]
    )


def _fill_peers(tokens: list[str], drf_tokens: list[str], users: list[Any], secret: str, now: datetime) -> None:
    from oauth2_provider.models import AccessToken, Application
    from rest_framework.authtoken.models import Token

    Token.objects.bulk_create([Token(key=key, user=user) for key, user in zip(drf_tokens, users, strict=True)])
    applications = [
        Application.objects.create(
            name=client_id,
            client_id=client_id,
            client_secret=secret,
            hash_client_secret=client_id == HASHED_CLIENT_ID,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        )
        for client_id in (CLIENT_ID, HASHED_CLIENT_ID)
    ]
    AccessToken.objects.bulk_create(
        [
            AccessToken(
                token=value,
                token_checksum=hashlib.sha256(value.encode()).hexdigest(),
                application=applications[0],
                user=users[number],
                scope=SCOPE,
                expires=now + timedelta(days=1),
            )
            for number, value in enumerate(tokens)
        ]
    )


def _fill_ours(tokens: list[str], users: list[Any], secret: str, now: datetime) -> None:
    from django_introspection.models import Client, Token
    from django_introspection.protocol.opaque import digest

    own, _ = Client.objects.register(
        client_id=CLIENT_ID,
        client_secret=secret,
        client_name="Benchmark",
        resources=[RESOURCE],
        introspection_policy="any",
    )
    others = Client.objects.bulk_create(
        [Client(client_id=f"client-{number}", client_name=f"Client {number}") for number in range(1, CLIENTS)]
    )
    clients = [own, *others]
    Token.objects.bulk_create(
        [
            Token(
                digest=digest(value),
                kind="access",
                client=clients[number % CLIENTS],
                user=users[number],
                scope=SCOPE,
                audience=[RESOURCE],
                issued_at=now,
                expires_at=now + timedelta(days=1),
            )
            for number, value in enumerate(tokens)
        ]
    )


def _keys_and_jwts() -> dict[str, Any]:
    now = int(time.time())
    times = {"iat": now, "exp": now + 86400, "jti": "0" * 32}
    claims = {"iss": ISSUER, "aud": RESOURCE, "sub": "1", "client_id": CLIENT_ID, "scope": SCOPE, **times}
    simple = {"token_type": "access", "user_id": "1", "username": "user-1", **times}
    jwts: dict[str, str] = {}
    for alg in ALGORITHMS:
        jwts[alg] = jose.sign({"alg": alg, "typ": "at+jwt", "kid": alg}, claims)
        jwts[f"simplejwt-{alg}"] = jose.sign({"alg": alg, "typ": "JWT"}, simple)
    keys = {
        alg: {"private": jose.pem(alg), "public": jose.key(alg).as_pem(private=False).decode()} for alg in ALGORITHMS
    }
    return {"jwts": jwts, "keys": keys, "jwks": [jose.public(alg, "one", kid=alg, alg=alg) for alg in ALGORITHMS]}
