"""Each scenario: the view that is called, the settings of its process, and how the token is sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .inputs import CLIENT_ID, HASHED_CLIENT_ID, ISSUER, RESOURCE, inputs

Settings = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the settings of every scenario and returns those that differ."""

VARIABLE = "BENCHMARK_SCENARIO"
STARTPROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
BOTH_SIDES = ["django_introspection"]
RESOURCE_SERVER = ["django_introspection.resource_server"]
TOOLKIT = "django_introspection.contrib.oauth_toolkit"


@dataclass(frozen=True)
class Counts:
    """What one request may cost: SQL statements, round trips to Redis, and HTTP calls."""

    statements: int = 0
    trips: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Scenario:
    """A view with its settings.

    `token` is where the token goes, `tokens` the name of the list in the inputs, `limit` how many of them are
    used. A scenario that is very slow has `slowness`: its batches have so many times fewer requests.
    """

    view: str
    token: str = "header"
    tokens: str = "tokens"
    scheme: str = "Bearer"
    client: str = CLIENT_ID
    apps: tuple[str, ...] = ()
    settings: tuple[Settings, ...] = ()
    counts: Counts | None = None
    warm_up: int = 20
    slowness: int = 1
    limit: int | None = None


def prepared(base: dict[str, Any]) -> dict[str, Any]:
    """Let psycopg prepare statements, as the documentation recommends for production."""
    options = {"server_side_binding": True, "prepare_threshold": 5}
    return {"DATABASES": {"default": {**base["DATABASES"]["default"], "OPTIONS": options}}}


def middleware(_: dict[str, Any]) -> dict[str, Any]:
    return {"MIDDLEWARE": STARTPROJECT}


def remote(**cache: Any) -> Settings:
    def settings(_: dict[str, Any]) -> dict[str, Any]:
        options = {
            "introspection_url": f"{inputs()['origin']}/introspect",
            "client_id": CLIENT_ID,
            "client_secret": inputs()["secret"],
        }
        backend = {"BACKEND": "django_introspection.backends.RemoteBackend", "OPTIONS": options}
        if cache:
            backend["CACHE"] = {"MAX_AGE": 3600, **cache}
        tombstones = {"REVOCATIONS": {"ALIAS": "default"}} if "ALIAS" in cache else {}
        return {"TOKEN_INTROSPECTION": {"BACKENDS": {"default": backend}, **tombstones}}

    return settings


def jwt(_: dict[str, Any]) -> dict[str, Any]:
    options = {"issuer": ISSUER, "jwks_uri": f"{inputs()['origin']}/jwks", "audience": RESOURCE}
    backend = {"BACKEND": "django_introspection.backends.JWTBackend", "OPTIONS": options}
    return {"TOKEN_INTROSPECTION": {"BACKENDS": {"default": backend}}}


def simplejwt(alg: str) -> Settings:
    def settings(_: dict[str, Any]) -> dict[str, Any]:
        keys = inputs()["keys"].get(alg, {})
        return {
            "SIMPLE_JWT": {"ALGORITHM": alg, "SIGNING_KEY": keys.get("private"), "VERIFYING_KEY": keys.get("public")}
        }

    return settings


def bridge(_: dict[str, Any]) -> dict[str, Any]:
    backend = {"BACKEND": f"{TOOLKIT}.OAuthToolkitBackend", "OPTIONS": {"audience": None}}
    return {
        "TOKEN_INTROSPECTION": {
            "ISSUER": ISSUER,
            "BACKENDS": {"default": backend},
            "INTROSPECTION_BACKEND": "default",
            "CLIENT_SOURCES": [f"{TOOLKIT}.OAuthToolkitClients"],
            "CLIENT_POLICY": "any",
        }
    }


def keeping_clients(base: dict[str, Any]) -> dict[str, Any]:
    return {"TOKEN_INTROSPECTION": {**base["TOKEN_INTROSPECTION"], "CLIENT_LOCAL_MAX_AGE": 60}}


def guessing(base: dict[str, Any]) -> dict[str, Any]:
    return {"TOKEN_INTROSPECTION": {**base["TOKEN_INTROSPECTION"], "THROTTLE": {"FAILURES": 10**9}}}


def issuer(_: dict[str, Any]) -> dict[str, Any]:
    return {"TOKEN_INTROSPECTION": {"ISSUER": ISSUER}}


ENDPOINT = "django_introspection.authorization_server.views.IntrospectView"
PROTECTED = "benchmarks.protected.Protected"
KEPT: dict[str, Any] = {"limit": 500, "warm_up": 500}
"""So many tokens are used that all of them have been kept before anything is measured."""


def endpoint(*settings: Settings) -> Scenario:
    return Scenario(ENDPOINT, "form", apps=tuple(BOTH_SIDES), settings=(issuer, *settings), counts=Counts(statements=1))


def local(*settings: Settings) -> Scenario:
    return Scenario(PROTECTED, apps=tuple(BOTH_SIDES), settings=(issuer, *settings), counts=Counts(statements=1))


def asking(counts: Counts, **cache: Any) -> Scenario:
    return Scenario(PROTECTED, apps=tuple(RESOURCE_SERVER), settings=(remote(**cache),), counts=counts, **KEPT)


def signed(alg: str) -> Scenario:
    return Scenario(PROTECTED, tokens=alg, apps=tuple(RESOURCE_SERVER), settings=(jwt,), counts=Counts())


def simple(alg: str) -> Scenario:
    return Scenario("benchmarks.simplejwt.SimpleJWT", tokens=f"simplejwt-{alg}", settings=(simplejwt(alg),))


SCENARIOS = {
    "endpoint": endpoint(),
    "endpoint-prepared": endpoint(prepared),
    "endpoint-keeping": endpoint(prepared, keeping_clients),
    "endpoint-middleware": endpoint(middleware),
    "endpoint-guessing": endpoint(prepared, guessing),
    "sql": Scenario("benchmarks.floors.IntrospectSQL", "form", settings=(prepared,)),
    "orm": Scenario("benchmarks.floors.introspect", "form"),
    "orm-middleware": Scenario("benchmarks.floors.introspect", "form", settings=(middleware,)),
    "toolkit": Scenario("oauth2_provider.views.IntrospectTokenView", "form"),
    "toolkit-hashed": Scenario(
        "oauth2_provider.views.IntrospectTokenView", "form", client=HASHED_CLIENT_ID, warm_up=2, slowness=40
    ),
    "local": local(),
    "local-prepared": local(prepared),
    "view-sql": Scenario("benchmarks.views.BySQL", settings=(prepared,)),
    "view-drf": Scenario("benchmarks.peers.DRFToken", tokens="drf_tokens", scheme="Token"),
    "view-toolkit": Scenario("benchmarks.toolkit.Toolkit"),
    "memory": asking(Counts(), LOCAL_MAX_AGE=3600),
    "redis": asking(Counts(trips=1), ALIAS="default"),
    "miss": asking(Counts(calls=1)),
    "view-dictionary": Scenario("benchmarks.views.ByDictionary", **KEPT),
    "view-redis": Scenario("benchmarks.views.ByRedis", **KEPT),
    "view-urllib3": Scenario("benchmarks.peers.ByURLLib3"),
    "jwt-rs256": signed("RS256"),
    "jwt-es256": signed("ES256"),
    "view-jwt-rs256": simple("RS256"),
    "view-jwt-es256": simple("ES256"),
    "bridge": Scenario(
        ENDPOINT,
        "form",
        client=HASHED_CLIENT_ID,
        apps=tuple(BOTH_SIDES),
        settings=(bridge,),
        counts=Counts(statements=2),
    ),
    "bridge-view": Scenario(PROTECTED, apps=tuple(BOTH_SIDES), settings=(bridge,), counts=Counts(statements=1)),
}


def scenario() -> Scenario | None:
    """Return the scenario of this process, None in the process that makes the data."""
    name = os.environ.get(VARIABLE)
    return SCENARIOS[name] if name else None
