"""Targets for the replies of other servers, and for what a shared cache returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django_introspection import token_backends
from django_introspection.backends.entry import Kept, decode, encode, seal_of
from django_introspection.backends.reply import read_reply
from django_introspection.backends.signed_replies import SignedReplies
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.jose import read_verification_key
from django_introspection.jwe import encryption_key, read_decryption_key
from django_introspection.outbound.bodies import unpack
from django_introspection.outbound.client_authentication import Sent
from django_introspection.outbound.deadline import deadline
from django_introspection.outbound.discovery import Discovery
from django_introspection.outbound.jwks import KeySet, VerificationKeys
from django_introspection.outbound.messages import Reply, Request
from django_introspection.outbound.steps import Steps, run
from django_introspection.outbound.token_response import read_exchanged, read_token
from django_introspection.protocol.answer import Active, Inactive, Reason
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.identifiers import is_loopback, split_uri
from django_introspection.protocol.introspection import MAX_RESPONSE
from django_introspection.protocol.token_info import TokenInfo
from django_introspection.resource_server.acceptance import accept
from tests import jose
from tests.properties.outcomes import outcome
from tests.properties.test_responses import use
from tests.settings import AUDIENCE

from . import world
from .family import family
from .inputs import choose, join, split, text
from .signed import RAW, SIGNED, is_intact, signed

JSON = "application/json"
SIGNED_TYPE = "application/token-introspection+jwt"
ISSUER = world.JWT_ISSUER
STATUSES = (200, 204, 301, 400, 401, 403, 429, 500, 503)
MEMBERS: dict[str, Any] = {
    "active": True, "token_type": "Bearer", "sub": "alice", "client_id": "app", "scope": "orders:read", "aud": AUDIENCE,
    "exp": world.SECONDS + 60,
}  # fmt: skip


def _answer_seeds() -> Iterator[bytes]:
    yield join("200", JSON, "CLIENT", json.dumps(MEMBERS))
    yield join(
        "200", "text/plain", "TOKEN", json.dumps({**MEMBERS, "scope": ["a", "b"], "aud": ["x"], "act": {"sub": "b"}})
    )
    yield join("200", JSON, "CLIENT", '\ufeff{"active": false}')
    yield join("401", JSON, "NOTHING", '{"error": "invalid_token"}')
    yield join("400", JSON, "CLIENT", '{"error": "unsupported_token_type"}')
    yield join("200", "gzip", "CLIENT", b"\x1f\x8b\x08\x00")


@family(
    "protocol/introspection.py", "protocol/strict_json.py", "protocol/token_info.py", "protocol/dialects.py",
    "backends/reply.py", "outbound/bodies.py",
    seeds=_answer_seeds,
    words='"active":true|"active":|true|false|null|"exp":|"scp":[|"aud":|"cnf":{|\\ud800|1e999',
)  # fmt: skip
def answers(data: bytes) -> None:
    """An answer is active only if a 200 says the JSON value true, once; and then everything in it can be used."""
    status, kind, credentials, body = split(data, 4)
    _check_unpacking(text(kind), body)
    reply = Reply(choose(status, STATUSES), {"content-type": text(kind)}, body)
    sent = Sent[choose(credentials, ["CLIENT", "TOKEN", "NOTHING"])]
    answer = outcome(lambda: read_reply(reply, sent), IntrospectionUnavailable)
    if isinstance(answer, Active):
        assert reply.status == 200
        assert _once(body)["active"] is True
        use(answer)
        accept(answer, token_backends["default"])


def _check_unpacking(encoding: str, body: bytes) -> None:
    unpacked = outcome(lambda: unpack(encoding, bytearray(body)), InvalidResponse)
    assert unpacked is None or isinstance(unpacked, InvalidResponse) or len(unpacked) <= MAX_RESPONSE


def _once(body: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(body.decode("utf-8-sig"), object_pairs_hook=once)


def _signed_seeds() -> Iterator[bytes]:
    head = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": "one"}
    good = {"iss": ISSUER, "aud": "orders-api", "iat": world.SECONDS, "token_introspection": MEMBERS}
    inner = signed(json.dumps(head).encode(), json.dumps(good).encode())
    key = encryption_key({"keys": [jose.public("ES256", "recipient", use="enc")]}, "ECDH-ES")
    assert key is not None
    yield join(RAW, SIGNED_TYPE, inner)
    yield join("nested", SIGNED_TYPE, key.encrypt(inner, "ECDH-ES"))
    yield join(RAW, JSON, json.dumps(MEMBERS))
    for change in ({}, {"aud": ["orders-api"]}, {"exp": 1}, {"iat": 1}, {"token_introspection": {"active": False}}):
        yield join(SIGNED, SIGNED_TYPE, json.dumps(head), json.dumps({**good, **change}))


@family(
    "protocol/signed_answer.py", "backends/signed_replies.py", "protocol/introspection.py",
    seeds=_signed_seeds,
    words=(
        '"active":true|"active":|true|false|null|"exp":|"scp":[|"aud":|"cnf":{|\\ud800|1e999|'
        '"token_introspection":{|"iss":|"iat":|"typ":|"alg":'
    ),
)  # fmt: skip
def signed_answers(data: bytes) -> None:
    """A signed answer counts if the issuer signed it just now for this resource server."""
    kind, media_type, head, body = split(data, 4)
    value = signed(head, body) if kind == SIGNED.encode() else text(head)
    nested = kind == b"nested"
    keys = (read_decryption_key(jose.private("ES256", "recipient")),) if nested else ()
    replies = SignedReplies(
        KeySet(_own_keys), issuer=ISSUER, names=frozenset({"orders-api"}), timeout=5, decryption_keys=keys
    )
    reply = Reply(200, {"content-type": text(media_type)}, value.encode("latin-1", "replace"))
    answer = outcome(lambda: run(replies.read(reply)), IntrospectionUnavailable)
    if isinstance(answer, IntrospectionUnavailable):
        return
    assert text(media_type).partition(";")[0].strip().lower() == SIGNED_TYPE
    if nested:
        return
    value = value.strip()
    assert is_intact(value, "ES256")
    head_read, said = jose.read(value)
    assert head_read["typ"].lower().removeprefix("application/") == "token-introspection+jwt"
    assert said["iss"] == ISSUER
    assert "orders-api" in ([said["aud"]] if isinstance(said["aud"], str) else said["aud"])
    assert abs(said["iat"] - world.SECONDS) <= 35
    assert said["token_introspection"]["active"] is bool(answer)
    if isinstance(answer, Active):
        use(answer)


def _own_keys() -> Steps[VerificationKeys]:
    return (read_verification_key(jose.public("ES256", kid="one")),)
    yield


def _token_seeds() -> Iterator[bytes]:
    yield join("200", '{"access_token":"abc","token_type":"Bearer","expires_in":3600,"scope":"a b"}')
    yield join("200", '{"access_token":"abc","token_type":"N_A","expires_in":"60","issued_token_type":"urn:x"}')
    yield join("200", '{"access_token":"a\\u0000b","token_type":"Bearer"}')
    yield join("400", '{"error":"invalid_scope","error_description":"no"}')
    yield join("503", "")


@family(
    "outbound/token_response.py", "protocol/obtained_token.py", "protocol/strict_json.py",
    seeds=_token_seeds,
    words='"access_token":"|"token_type":|"Bearer"|"expires_in":|"issued_token_type":|"error":"|1e9',
)  # fmt: skip
def token_responses(data: bytes) -> None:
    """A token of another server is one header value, of a bearer, with an end that a clock can hold."""
    status, body = split(data, 2)
    reply = Reply(choose(status, STATUSES), {}, body)
    for read in (
        lambda: read_token(reply, asked_at=world.SECONDS, scope="a"),
        lambda: read_exchanged(reply, asked_at=world.SECONDS, scope=None, requested_type=None),
    ):
        issued = outcome(read, Exception)
        if isinstance(issued, Exception):
            assert type(issued).__module__.startswith("django_introspection"), repr(issued)
            continue
        assert reply.status == 200
        members = _once(body)
        assert issued.token.value == members["access_token"]
        assert issued.token.headers == {"Authorization": f"Bearer {members['access_token']}"}
        assert issued.token.value.isprintable()
        assert issued.lifetime is None or 0 < issued.lifetime < 2**32


def _metadata_seeds() -> Iterator[bytes]:
    good = {"issuer": ISSUER, "introspection_endpoint": f"{ISSUER}/introspect", "jwks_uri": f"{ISSUER}/jwks"}
    yield join("200", json.dumps(good), "404", "")
    yield join(
        "404", "<html>", "200", json.dumps({**good, "mtls_endpoint_aliases": {"jwks_uri": "https://m.example/j"}})
    )
    yield join("200", json.dumps({**good, "jwks_uri": "http://id.example.com/jwks"}), "503", "")


class _Documents:
    """Answer the requests of a discovery with what an input has."""

    def __init__(self, replies: list[Reply]) -> None:
        self._replies = replies

    def exchange(self, request: Callable[[], Request]) -> Steps[Reply]:
        assert request().url.startswith(ISSUER)
        return self._replies.pop(0) if self._replies else Reply(404, {}, b"")
        yield


@family(
    "outbound/discovery.py", "protocol/identifiers.py", "protocol/strict_json.py",
    seeds=_metadata_seeds,
    words=(
        '"issuer":"|"jwks_uri":"|"introspection_endpoint":"|"mtls_endpoint_aliases":{|https://|http://|'
        "localhost|@|https://id.example.com"
    ),
)  # fmt: skip
def metadata(data: bytes) -> None:
    """An endpoint is that of a document of this very issuer, and one that tokens may be sent to."""
    parts = split(data, 4)
    replies = [Reply(choose(status, STATUSES), {}, body) for status, body in zip(parts[::2], parts[1::2], strict=True)]
    documents: Any = _Documents(list(replies))
    discovery = Discovery(ISSUER, documents, insecure_http=False, has_certificate=len(data) % 2 == 1)
    for name in ("introspection_endpoint", "jwks_uri"):
        with deadline(5):
            url = outcome(lambda name=name: run(discovery.endpoint(name)), IntrospectionUnavailable)
        if isinstance(url, str):
            found = split_uri(url)
            assert found is not None
            assert found.hostname
            assert found.scheme == "https" or is_loopback(found.hostname)
            assert any(_names(reply, url) for reply in replies)


def _names(reply: Reply, url: str) -> bool:
    members = outcome(lambda: _once(reply.body), ValueError) if reply.status == 200 else {}
    return (
        isinstance(members, dict) and members.get("issuer") == ISSUER and url in json.dumps(members, ensure_ascii=False)
    )


DIGEST, GENERATION = "ab" * 32, "generation"
SEAL = seal_of("the answers of a backend")


@cache
def _sealed_entries() -> list[str]:
    answers = [Active(TokenInfo(MEMBERS)), *(Inactive(reason) for reason in list(Reason)[:3])]
    return [encode(Kept(answer, DIGEST, world.SECONDS - 5), GENERATION, SEAL) for answer in answers]


def _entry_seeds() -> Iterator[bytes]:
    active = Active(TokenInfo(MEMBERS))
    for entry in _sealed_entries():
        yield join(RAW, entry)
        yield join(SIGNED, entry[64:])
    yield join(SIGNED, encode(Kept(active, "cd" * 32, world.SECONDS), GENERATION, SEAL)[64:])
    yield join(SIGNED, encode(Kept(active, DIGEST, world.SECONDS + 10**9), "", SEAL)[64:])


@family(
    "backends/entry.py", "protocol/token_info.py", "protocol/dialects.py", "protocol/explanation.py",
    seeds=_entry_seeds,
    words=f'"{DIGEST}"|"{GENERATION}"|null|NaN|Infinity|1e400|{{"active":true}}|"exp":|[|]',
)  # fmt: skip
def cache_entries(data: bytes) -> None:
    """A cache entry is an answer about this token in this generation that we sealed, or it is nothing."""
    kind, rest = split(data, 2)
    text_of_entry = text(rest)
    entry = text_of_entry
    if kind == SIGNED.encode():  # without a seal nothing would be read
        seal = SEAL.copy()
        seal.update(text_of_entry.encode("utf-8", "replace"))
        entry = seal.hexdigest() + text_of_entry
    assert decode(rest, DIGEST, GENERATION, SEAL) is None  # a cache that holds something else than text
    assert decode(entry, DIGEST, GENERATION, seal_of("another backend")) is None
    kept = decode(entry, DIGEST, GENERATION, SEAL)
    if kept is None:
        return
    assert kind == SIGNED.encode() or entry in _sealed_entries()
    assert json.loads(entry[64:])[:2] == [DIGEST, GENERATION]
    assert not kept.is_younger(60) or 0 <= world.SECONDS - kept.since < 60
    if isinstance(kept.answer, Active):
        accept(kept.answer, token_backends["default"])
