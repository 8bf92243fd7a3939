"""`POST /oauth/leaked/alerts`: signed alerts in the format of GitHub's secret scanning partner program."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core import checks
from django.http import HttpResponse
from django.test import Client as Browser

from django_introspection import introspect, signals
from django_introspection.authorization_server.revoking import revoke_token
from django_introspection.check_messages import TAG
from django_introspection.conf import setting_problem
from django_introspection.leaks import signatures
from django_introspection.models import Token
from django_introspection.models.fields import now
from django_introspection.protocol import opaque
from tests import factories
from tests.authorization_server.helpers import assert_refused
from tests.misbehaving.behaviours import BROKEN, HANGING
from tests.misbehaving.server import MisbehavingServer

pytestmark = pytest.mark.django_db

# The example of https://docs.github.com/en/code-security (Secret scanning partner program), made by GitHub.
GITHUB_BODY = b'[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]'
GITHUB_KEY_ID = "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d"
GITHUB_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP
HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==
-----END PUBLIC KEY-----"""
GITHUB_SIGNATURE = "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9GGJo6WJY="
OWN = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def public(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def document(**keys: str) -> list[dict[str, Any]]:
    return [{"key_identifier": name, "key": key, "is_current": True} for name, key in keys.items()]


@pytest.fixture
def scanner(settings: Any) -> Iterator[MisbehavingServer]:
    """The server that publishes the keys of GitHub's example and our own one."""
    with MisbehavingServer() as server:
        server.behave("json", public_keys=document(**{GITHUB_KEY_ID: GITHUB_KEY, "own": public(OWN)}))
        leaks = {"ALERT_KEYS": f"{server.origin}/keys"}
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEAKS": leaks}
        yield server


def sign(body: bytes, key: Any = OWN, algorithm: Any = None) -> str:
    return base64.b64encode(key.sign(body, ec.ECDSA(algorithm or SHA256()))).decode()


def send(body: bytes, identifier: str | None = "own", signature: str | None = None, **kwargs: Any) -> HttpResponse:
    """Send an alert as GitHub does; an empty signature is left out."""
    headers = {"Github-Public-Key-Identifier": identifier, "Github-Public-Key-Signature": signature}
    if signature is None:
        headers["Github-Public-Key-Signature"] = sign(body)
    sent = {name: value for name, value in headers.items() if value}
    content_type = kwargs.get("content_type", "application/json")
    return Browser().post("/oauth/leaked/alerts", body, content_type=content_type, headers=sent)


def alert(*values: str, **members: Any) -> bytes:
    each = {"type": "acme_access_token", "url": "https://github.com/acme/shop/blob/1/config.py", "source": "content"}
    return json.dumps([{"token": value, **each, **members} for value in values]).encode()


def labels(response: HttpResponse) -> list[str]:
    assert response.status_code == 200, response.content
    return [entry["label"] for entry in json.loads(response.content)]


def test_the_example_of_github_is_accepted(scanner: MisbehavingServer) -> None:
    response = send(GITHUB_BODY, GITHUB_KEY_ID, GITHUB_SIGNATURE)

    assert labels(response) == ["false_positive"]
    (request,) = scanner.requests
    assert (request.method, request.path) == ("GET", "/keys")
    assert request.headers["User-Agent"] == "django-introspection", "GitHub refuses requests without one"


def test_an_alert_ends_what_it_names_and_labels_it(scanner: MisbehavingServer, user: Any) -> None:
    issued = factories.TokenFactory(user=user, refresh=True)
    heard: list[dict[str, Any]] = []

    def receiver(signal: Any, sender: Any, **keywords: Any) -> None:
        heard.append(keywords)

    signals.token_leaked.connect(receiver)
    unknown = opaque.generate(opaque.ACCESS_TOKEN)
    try:
        response = send(alert(issued.access_token, unknown, issued.access_token))
        again = send(alert(issued.access_token))
    finally:
        signals.token_leaked.disconnect(receiver)

    assert labels(response) == ["true_positive", "false_positive", "true_positive"]
    assert labels(again) == ["true_positive"]
    assert introspect(issued.access_token) is None
    assert not Token.objects.filter(grant_id=issued.token.grant_id, revoked_at=None).exists()
    (leak,) = heard
    assert (leak["source"], leak["url"]) == ("alert", "https://github.com/acme/shop/blob/1/config.py")
    entry = json.loads(response.content)[0]
    assert entry == {
        "token_hash": hashlib.sha256(issued.access_token.encode()).hexdigest(),
        "token_type": "acme_access_token",
        "label": "true_positive",
    }
    assert response["Cache-Control"] == "no-store"


def test_an_alert_about_a_client_secret_expires_it(scanner: MisbehavingServer, machine: Any) -> None:
    assert labels(send(alert(machine.secret))) == ["true_positive"]
    assert not machine.client.secrets.get().is_live(now())


def test_a_large_message_takes_few_statements(scanner: MisbehavingServer, django_assert_max_num_queries: Any) -> None:
    values = [opaque.generate(opaque.ACCESS_TOKEN) for _ in range(1200)]
    with django_assert_max_num_queries(3):
        assert labels(send(alert(*values))) == ["false_positive"] * 1200


REFUSED: dict[str, Any] = {
    "no identifier": lambda body: {"identifier": None},
    "no signature": lambda body: {"signature": ""},
    "another body": lambda body: {"signature": sign(body + b" ")},
    "another key": lambda body: {"signature": sign(body, OTHER)},
    "a key that is published under another name": lambda body: {"identifier": GITHUB_KEY_ID},
    "another hash": lambda body: {"signature": sign(body, algorithm=SHA512())},
    "not base64": lambda body: {"signature": "!" + sign(body)},
    "base64 of something else": lambda body: {"signature": base64.b64encode(b"x" * 64).decode()},
    "two signatures": lambda body: {"signature": f"{sign(body)}, {sign(body)}"},
    "long": lambda body: {"signature": "A" * 10_000},
    "malformed identifier": lambda body: {"identifier": "own\x00"},
    "long identifier": lambda body: {"identifier": "o" * 129},
    "identifier in other case": lambda body: {"identifier": "OWN"},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_alert_whose_signature_is_not_valid_ends_nothing(kind: str, scanner: MisbehavingServer) -> None:
    issued = factories.TokenFactory()
    body = alert(issued.access_token)

    response = send(body, **REFUSED[kind](body))

    assert_refused(response, 403, "invalid_request", issued.access_token)
    assert introspect(issued.access_token)


def test_without_a_url_of_keys_there_is_no_receiver(settings: Any, scanner: MisbehavingServer) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEAKS": {}}

    assert send(alert("x")).status_code == 404
    assert scanner.requests == []


BODIES = {
    "not JSON": b"token",
    "an object": b'{"token": "x"}',
    "no token": b'[{"type": "x"}]',
    "an empty token": b'[{"token": ""}]',
    "a number": b'[{"token": 7}]',
    "a string": b'["x"]',
    "a URL that is none": b'[{"token": "x", "url": 7}]',
    "a type that is none": b'[{"token": "x", "type": ["a"]}]',
    "a repeated member": b'[{"token": "x", "token": "y"}]',
    "half a character": b'[{"token": "\\ud800"}]',
    "empty": b"",
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_signed_body_that_is_no_list_of_alerts_is_refused_whole(kind: str, scanner: MisbehavingServer) -> None:
    assert_refused(send(BODIES[kind]), 400, "invalid_request")


def test_members_that_are_missing_are_empty(scanner: MisbehavingServer) -> None:
    response = send(b'[{"token": "x"}]')

    assert json.loads(response.content)[0]["token_type"] == ""
    assert labels(send(b"[]")) == []


def test_a_message_that_is_too_large_is_refused(scanner: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(send(b"[" + b" " * 1024 * 1024 + b"]"), 413, "invalid_request")
    assert_refused(send(json.dumps([{"token": "x"}] * 10_001).encode()), 413, "invalid_request")


def test_the_keys_are_fetched_once_and_kept(scanner: MisbehavingServer) -> None:
    for _ in range(3):
        assert labels(send(alert("x"))) == ["false_positive"]

    assert len(scanner.requests) == 1


def test_strangers_cause_one_fetch_in_five_minutes(scanner: MisbehavingServer) -> None:
    """A key that is unknown may be new, so the keys are fetched again; a stranger can name any."""
    start = now()
    with time_machine.travel(start, tick=False):
        send(alert("x"))
    with time_machine.travel(start + timedelta(seconds=10), tick=False):
        assert_refused(send(alert("x"), "new-1"), 403, "invalid_request")
        assert len(scanner.requests) == 2
        for number in range(20):
            response = send(alert("x"), f"new-{number}")
            assert_refused(response, 503, "temporarily_unavailable")
        assert len(scanner.requests) == 2
        assert labels(send(alert("x"))) == ["false_positive"], "a known key needs no fetch"
    with time_machine.travel(start + timedelta(seconds=11 + signatures.REPLACE_EVERY), tick=False):
        send(alert("x"), "new-1")
        assert len(scanner.requests) == 3


def test_a_new_key_is_found_at_once(scanner: MisbehavingServer) -> None:
    start = now()
    body = alert("x")
    with time_machine.travel(start, tick=False):
        send(body)
    scanner.behave("json", public_keys=document(new=public(OTHER)))
    with time_machine.travel(start + timedelta(seconds=10), tick=False):
        assert labels(send(body, "new", sign(body, OTHER))) == ["false_positive"]
        assert_refused(send(body), 503, "temporarily_unavailable")


@pytest.mark.parametrize("behaviour", [*BROKEN, "inactive", *HANGING[:1]])
def test_without_keys_the_answer_is_503_in_bounded_time(
    behaviour: str, scanner: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "TIMEOUT", 0.5)
    scanner.behave(behaviour)
    issued = factories.TokenFactory()

    response = send(alert(issued.access_token))

    assert_refused(response, 503, "temporarily_unavailable", issued.access_token)
    assert introspect(issued.access_token)


def test_kept_keys_serve_while_their_server_is_down(scanner: MisbehavingServer) -> None:
    start = now()
    with time_machine.travel(start, tick=False):
        send(alert("x"))
    scanner.behave("closes before the answer")
    with time_machine.travel(start + timedelta(days=6), tick=False):
        assert labels(send(alert("x"))) == ["false_positive"]
    with time_machine.travel(start + timedelta(days=8), tick=False):
        assert_refused(send(alert("x")), 503, "temporarily_unavailable")


NO_KEYS: dict[str, Any] = {
    "none": [],
    "no list": "keys",
    "RSA": document(own=public(rsa.generate_private_key(65537, 2048))),
    "another curve": document(own=public(ec.generate_private_key(ec.SECP384R1()))),
    "not PEM": document(own="key"),
    "no name": [{"key": public(OWN)}],
    "no object": ["key"],
    "too many": document(own=public(OWN)) * 101,
}


@pytest.mark.parametrize("kind", NO_KEYS)
def test_keys_of_another_kind_verify_nothing(kind: str, scanner: MisbehavingServer) -> None:
    scanner.behave("json", public_keys=NO_KEYS[kind])

    assert_refused(send(alert("x")), 503, "temporarily_unavailable")


@pytest.mark.parametrize(
    ("leaks", "problem"),
    [
        ([], "must be a dictionary"),
        ({"KEYS": "x"}, "has unknown keys: 'KEYS'"),
        ({"ALERT_KEYS": 7}, "['ALERT_KEYS'] must be an https URL"),
        ({"ALERT_KEYS": "http://scanner.example/keys"}, "['ALERT_KEYS'] must be an https URL"),
        ({"MAIL": "admins"}, "['MAIL'] must be a list"),
        ({"MAIL": [["user"]]}, "['MAIL'] must be a list"),
        ({"MAIL": ["managers"]}, "['MAIL'] must be a list of 'user' and 'admins'"),
    ],
)
def test_a_wrong_entry_names_its_place(leaks: Any, problem: str, settings: Any) -> None:
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "LEAKS": leaks}

    message = str(setting_problem("LEAKS"))
    assert message.startswith("TOKEN_INTROSPECTION['LEAKS']")
    assert problem in message


def test_alerts_that_cannot_be_verified_are_seen_at_start_up(
    scanner: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids() -> list[str]:
        found = checks.run_checks(tags=[TAG], include_deployment_checks=True)
        return [str(message.id) for message in found if "LEAKS" in message.msg]

    assert ids() == []
    monkeypatch.setattr("django_introspection.authorization_server.checks.is_installed", lambda: False)
    assert ids() == ["introspection.E073"]


def test_the_body_is_not_read_before_its_signature_is_verified(scanner: MisbehavingServer) -> None:
    """What a stranger sends is no JSON for us, and an answer says nothing about it."""
    for body in (b"[", b"{}", b'[{"token": 1}]'):
        assert_refused(send(body, signature=sign(body, OTHER)), 403, "invalid_request")
        assert_refused(send(body), 400, "invalid_request")


@pytest.mark.parametrize("ended", ["revoked alone", "expired"])
def test_a_token_that_ended_before_was_issued_all_the_same(scanner: MisbehavingServer, ended: str) -> None:
    issued = factories.TokenFactory()
    if ended == "expired":
        Token.objects.update(expires_at=now() - timedelta(seconds=1))
    else:
        revoke_token(issued.token, by=None)

    assert labels(send(alert(issued.access_token))) == ["true_positive"]


def test_an_alert_that_did_not_reach_the_caches_comes_again(scanner: MisbehavingServer, settings: Any) -> None:
    values = settings.TOKEN_INTROSPECTION
    settings.CACHES = {**settings.CACHES, "broken": {"BACKEND": "tests.caches.BrokenCache"}}
    settings.TOKEN_INTROSPECTION = {**values, "REVOCATIONS": {"ALIAS": "broken"}}
    issued = factories.TokenFactory()

    assert_refused(send(alert(issued.access_token)), 503, "temporarily_unavailable")
    assert Token.objects.filter(revoked_at=None).count() == 0
    settings.TOKEN_INTROSPECTION = values
    assert labels(send(alert(issued.access_token))) == ["true_positive"]
