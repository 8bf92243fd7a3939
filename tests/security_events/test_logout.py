"""Logout tokens end a session or a user (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client as Browser

from django_introspection import introspect
from django_introspection.security_events.models import CutOff, ReceivedStream
from django_introspection.signals import security_event_received
from tests.backends.issuers import access_token
from tests.security_events.transmitter import AUDIENCE, CAEP, LOGOUT, Transmitter, push, send_logout


@pytest.fixture
def stream(transmitter: Transmitter) -> ReceivedStream:
    return transmitter.stream(delivery="logout")


def is_active(transmitter: Transmitter, **claims: Any) -> bool:
    return introspect(access_token(transmitter.issuer, **{"iat": int(time.time()) - 5, **claims})) is not None


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    ("named", "ended", "alive"),
    [
        ({"sub": "alice"}, {"sub": "alice"}, {"sub": "bob"}),
        ({"sub": None, "sid": "s-1"}, {"sid": "s-1"}, {"sid": "s-2"}),
        ({"sub": "alice", "sid": "s-1"}, {"sid": "s-1"}, {"sid": "s-2"}),
    ],
)
def test_a_logout_ends_the_session_or_else_the_user(
    named: Any, ended: Any, alive: Any, transmitter: Transmitter
) -> None:
    response = send_logout(transmitter.logout(**named))

    assert (response.status_code, response.content, response["Cache-Control"]) == (200, b"", "no-store")
    assert not is_active(transmitter, **ended)
    assert is_active(transmitter, **alive)


def test_a_logout_ends_the_user_as_well_if_tokens_name_no_session(transmitter: Transmitter) -> None:
    transmitter.stream(delivery="logout", ends_whole_user=True)

    send_logout(transmitter.logout(sid="s-1"))

    assert not is_active(transmitter)


def signed_logout(transmitter: Transmitter, **members: Any) -> str:
    """Return a logout token with members that may be null."""
    claims = transmitter.claims(sub_id=None, sub="alice", events={LOGOUT: {}}) | members
    return transmitter.signed(claims, typ="logout+jwt")


@pytest.mark.usefixtures("stream")
def test_a_provider_that_misbehaves_is_refused_and_changes_nothing(
    transmitter: Transmitter, received: list[Any]
) -> None:
    logout, now = transmitter.logout, int(time.time())
    wrong = {
        "another issuer": (logout(iss="https://other.example"), "issuer"),
        "another audience": (logout(aud="https://other.example"), "audience"),
        "the type of a proof": (logout(header={"typ": "dpop+jwt"}), "typ"),
        "an access token without a type": (
            access_token(transmitter.issuer, aud=AUDIENCE, header={"typ": "JWT"}),
            "events",
        ),
        "a security event token": (transmitter.event(), "typ"),
        "an ID token": (logout(events=None, nonce="n"), "nonce"),
        "an access token": (access_token(transmitter.issuer, aud=AUDIENCE), "typ"),
        "a key of a stranger": (logout(key="stranger"), "signature"),
        "a nonce": (logout(nonce="n"), "nonce"),
        "no events": (logout(events=None), "events"),
        "another event": (logout(events={f"{CAEP}session-revoked": {}}), "backchannel-logout"),
        "an event that is text": (logout(events={LOGOUT: "x"}), "events"),
        "neither sub nor sid": (logout(sub=None), "sub or sid"),
        "a sub that is a list": (logout(sub=["alice"]), "sub or sid"),
        "an empty sid": (logout(sid=""), "sub or sid"),
        "no jti": (logout(jti=None), "jti"),
        "no iat": (logout(iat=None), "iat"),
        "an iat in the future": (logout(iat=now + 600), "iat"),
        "no exp, and an old iat": (logout(exp=None, iat=now - 600), "exp"),
        "an expired one": (logout(exp=now - 60), "exp"),
        "an exp that is text": (logout(exp="tomorrow"), "exp"),
        "an exp that is null": (signed_logout(transmitter, exp=None), "exp"),
        "no token": ("", "logout_token"),
        "a huge one": ("a" * 100_000, "too large"),
    }
    for name, (token, problem) in wrong.items():
        response = send_logout(token)

        assert (name, response.status_code, response.json().get("error")) == (name, 400, "invalid_request")
        assert problem in response.json()["error_description"], name
        assert response["Cache-Control"] == "no-store"
    assert is_active(transmitter)
    assert (CutOff.objects.count(), received) == (0, [])


def test_an_event_and_a_logout_token_may_have_the_same_jti(transmitter: Transmitter, stream: ReceivedStream) -> None:
    transmitter.stream()
    assert push(transmitter.event(sub_id=transmitter.iss_sub("bob"), jti="shared")).status_code == 202

    assert send_logout(transmitter.logout(jti="shared")).status_code == 200

    assert not is_active(transmitter)


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "JWT", None])
def test_a_logout_token_need_not_name_its_type(transmitter: Transmitter, typ: str | None) -> None:
    """OpenID Connect Back-Channel Logout 1.0 §2.4 recommends it, and many providers do not."""
    assert send_logout(transmitter.logout(header={"typ": typ})).status_code == 200
    assert not is_active(transmitter)


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize("age", [0, 290])
def test_a_recent_logout_token_need_not_expire(transmitter: Transmitter, age: int) -> None:
    """OpenID Connect Back-Channel Logout 1.0 §2.4 requires exp, which Ory Hydra and others do not send."""
    token = transmitter.logout(exp=None, iat=int(time.time()) - age)

    assert send_logout(token).status_code == 200

    assert not is_active(transmitter, iat=int(time.time()) - age - 5)
    assert send_logout(token).status_code == 400, "it is used once all the same"


@pytest.mark.usefixtures("stream")
def test_a_logout_token_is_used_once(transmitter: Transmitter, received: list[Any]) -> None:
    token = transmitter.logout()
    assert send_logout(token).status_code == 200
    CutOff.objects.all().delete()

    assert send_logout(token).status_code == 400

    assert not CutOff.objects.exists()
    assert len(received) == 1


@pytest.mark.usefixtures("stream")
def test_a_logout_that_met_an_outage_may_come_again(transmitter: Transmitter) -> None:
    token, errors = transmitter.logout(), [OperationalError("down")]

    def revoke(**said: Any) -> None:
        if errors:
            raise errors.pop()

    security_event_received.connect(revoke)
    try:
        assert [send_logout(token).status_code for _ in range(3)] == [503, 200, 400]
    finally:
        security_event_received.disconnect(revoke)


@pytest.mark.usefixtures("stream")
def test_a_logout_while_the_cache_is_down_is_503(transmitter: Transmitter, settings: Any) -> None:
    token, values = transmitter.logout(), settings.TOKEN_INTROSPECTION
    settings.CACHES = {**settings.CACHES, "revocations": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"TOMBSTONES": False, "ALIAS": "revocations"}}
    assert send_logout(token).status_code == 503

    settings.TOKEN_INTROSPECTION = values
    assert send_logout(token).status_code == 200
    assert not is_active(transmitter)


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("logout_token=a&logout_token=b", "application/x-www-form-urlencoded"),
        ('{"logout_token": "a"}', "application/json"),
        ("", "application/x-www-form-urlencoded"),
        (b"logout_token=\xff", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_form_with_one_token_is_refused(body: Any, content_type: str) -> None:
    assert Browser().post("/events/logout", body, content_type=content_type).status_code == 400


@pytest.mark.usefixtures("stream")
def test_the_signal_names_the_session(transmitter: Transmitter, received: list[dict[str, Any]]) -> None:
    send_logout(transmitter.logout(sid="s-1"))

    [said] = received
    assert said["event_type"] == LOGOUT
    assert said["subject"] == {"sid": "s-1", "sub": "alice"}
    assert said["targets"] == (("sid", "s-1"),)
