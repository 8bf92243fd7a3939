"""Targets for events from outside: security events, logout tokens, alerts of leaks, pages and cursors of the feed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from django_introspection.backends.feed_source import read_page
from django_introspection.backends.revoked_tokens import RevokedTokens
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.leaks.alerts import MAX_URL, read_alerts
from django_introspection.outbound.messages import Reply
from django_introspection.protocol.access_token import read_access_token
from django_introspection.protocol.errors import InvalidRequest
from django_introspection.protocol.jwt import MalformedJWT, parse_jwt
from django_introspection.protocol.networks import MAX_NETWORKS, MEMBER, may_send_from
from django_introspection.protocol.security_event import (
    LOGOUT,
    LOGOUT_SECONDS,
    EventRefused,
    SecurityEvents,
    read_event,
    read_logout,
)
from django_introspection.revocation_feed import cursors
from tests import jose
from tests.properties.outcomes import outcome
from tests.settings import ISSUER

from . import world
from .family import family
from .inputs import join, split, text

LEEWAY = 30
AUDIENCE = "https://events.example.com"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
JSON = {"content-type": "application/json"}


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _event_seeds() -> Iterator[bytes]:
    head = _dump({"alg": "ES256", "typ": "secevent+jwt"})
    claims = {"iss": ISSUER, "aud": AUDIENCE, "jti": "1", "iat": world.SECONDS}
    subjects: list[Any] = [
        {"format": "iss_sub", "iss": ISSUER, "sub": "alice"},
        {"format": "opaque", "id": "s-1"},
        {"format": "complex", "session": {"format": "opaque", "id": "s-1"}, "user": {"format": "opaque", "id": "1"}},
        {"format": "jwt_id", "iss": ISSUER, "jti": "2"},
        {"format": "email", "email": "alice@example.com"},
    ]
    for subject in subjects:
        event = {f"{CAEP}session-revoked": {"event_timestamp": world.SECONDS - 5}}
        yield join(head, _dump({**claims, "sub_id": subject, "events": event, "toe": 1}))
    logout = {**claims, "exp": world.SECONDS + 60, "events": {LOGOUT: {}}, "sub": "alice", "sid": "s-1"}
    for typ in ("logout+jwt", "JWT"):
        yield join(_dump({"alg": "ES256", "typ": typ}), _dump(logout))


@family(
    "protocol/security_event.py", "protocol/subject_identifiers.py", "protocol/jwt.py",
    seeds=_event_seeds,
    words=(
        '"typ":|"iss":|"aud":|"jti":|"iat":|"toe":|"events":{|"sub_id":{|"format":"|"opaque"|"complex"|"user":{|'
        '"session":{|"nonce":|"event_timestamp":|null|true|1e9|"sid":"|"sub":"'
    ),
)  # fmt: skip
def security_events(data: bytes) -> None:
    """An event that is taken is from its issuer for its audience, ends only what it names, and opens no view."""
    head, body = split(data, 2)
    value = f"{jose.encode(head)}.{jose.encode(body)}."
    jwt = outcome(lambda: parse_jwt(value), MalformedJWT)
    if isinstance(jwt, MalformedJWT):
        return
    now, said = float(world.SECONDS), json.loads(body)
    for read in (read_event, read_logout):
        events = outcome(
            lambda read=read: read(jwt, issuer=ISSUER, audience=AUDIENCE, now=now, leeway=LEEWAY),
            EventRefused,
        )
        if isinstance(events, SecurityEvents):
            assert said["iss"] == ISSUER
            assert AUDIENCE in (said["aud"] if isinstance(said["aud"], list) else [said["aud"]])
            assert isinstance(said["jti"], str)
            assert said["iat"] <= now + LEEWAY
            assert all(target.value in _texts(said) for target in events.targets)
            assert read is read_event or (
                said.get("exp", said["iat"] + LOGOUT_SECONDS) > now - LEEWAY
                and "nonce" not in said
                and LOGOUT in said["events"]
            )
            assert not read_access_token(jwt, strict=True)
            assert not read_access_token(jwt, strict=False)


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(_texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    return {value} if isinstance(value, str) else set()


def _alert_seeds() -> Iterator[bytes]:
    yield b'[{"token":"dit_at_abc","type":"example","url":"https://github.com/a/b","source":"commit"}]'
    yield b'[{"token":"x"},{"token":"y","url":""}]'
    yield b"[]"


@family(
    "leaks/alerts.py", "protocol/strict_json.py",
    seeds=_alert_seeds,
    words='"token":"|"type":"|"url":"|"source":"|[{|}]|null|\\ud800',
)  # fmt: skip
def alerts(data: bytes) -> None:
    """Each alert has the credential of its entry, in the order in which they were sent."""
    found = outcome(lambda: read_alerts(data), InvalidRequest)
    if isinstance(found, InvalidRequest):
        return
    said = json.loads(data)
    assert [each.value for each in found] == [entry["token"] for entry in said]
    assert all(each.value and len(each.url) <= MAX_URL for each in found)


def _network_seeds() -> Iterator[bytes]:
    for address in ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"):
        yield join(address, _dump(["192.0.2.0/24", "2001:db8::/32"]))
    yield join("192.0.2.1", _dump(["192.0.2.1"]))


@family(
    "protocol/networks.py",
    seeds=_network_seeds,
    words='192.0.2.|2001:db8:|::ffff:|/24|/0|/128|%eth0|","|[]|null',
)  # fmt: skip
def networks(data: bytes) -> None:
    """A token is taken from an address that one of its networks holds, and from no other."""
    address, listed = split(data, 2)
    try:
        value = json.loads(listed)
    except (ValueError, RecursionError):
        return
    if may_send_from({MEMBER: value}, text(address)):
        assert 0 < len(value) <= MAX_NETWORKS
        assert any(ip_address(text(address)) in ip_network(each) for each in value)


def _page_seeds() -> Iterator[bytes]:
    page = {
        "cursor": "f.1.2.3.4", "restart": False, "more": False, "now": world.SECONDS, "pause": 1, "issuer": ISSUER,
        "policy": "audience", "resources": [AUDIENCE], "changes": [], "age": 0,
    }  # fmt: skip
    yield _dump(page).encode()
    identity = jose.encode(b"12345678")
    for changes in ([[identity, world.SECONDS + 60]], [[identity]], [[identity, 2**62], [identity]]):
        yield _dump({**page, "changes": changes}).encode()


@family(
    "backends/feed_source.py", "backends/revoked_tokens.py", "backends/reply.py",
    seeds=_page_seeds,
    words='"cursor":"|"changes":[[|"restart":true|"more":true|"now":|"pause":|-1|1e9|9999999999999999999|null|true',
)  # fmt: skip
def feed_pages(data: bytes) -> None:
    """A page that is taken names each identity as it was sent, and the set then holds those that ended."""
    page = outcome(lambda: read_page(Reply(200, JSON, data)), IntrospectionUnavailable)
    if isinstance(page, IntrospectionUnavailable):
        return
    said = json.loads(data)
    assert page.cursor == said["cursor"]
    assert [len(change) for change in said["changes"]] == [1 if expiry is None else 2 for _, expiry in page.changes]
    tokens, changes = RevokedTokens(), dict(page.changes)
    tokens.change({identity: None if expiry is None else world.SECONDS for identity, expiry in changes.items()})
    for identity, expiry in changes.items():
        assert (identity in tokens) is (expiry is not None)


def _cursor_seeds() -> Iterator[bytes]:
    yield b"f.0a1b2c3d.17.deadbeef.0123456789abcdef"
    yield b"t.1900000000.0123456789abcdef0123456789abcdef.0123456789abcdef"


@family(
    "revocation_feed/cursors.py",
    seeds=_cursor_seeds,
    words="f.|t.|.0123456789abcdef|-1|99999999999999999999|00",
)  # fmt: skip
def feed_cursors(data: bytes) -> None:
    """A cursor of another policy leads nowhere, and one that is understood means the place that it names."""
    value = text(data)
    place = outcome(lambda: cursors.read(value, "0123456789abcdef"), InvalidRequest)
    if isinstance(place, InvalidRequest) or place is None:
        return
    assert value.endswith(".0123456789abcdef")
    assert cursors.read(cursors.write(place, "0123456789abcdef"), "0123456789abcdef") == place
    assert cursors.read(value, "fedcba9876543210") is None
