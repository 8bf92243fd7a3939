"""Targets for what is signed or encrypted: JWTs, assertions, DPoP proofs, encrypted JWTs and sets of keys.

An input is text as it is sent, or a header and claims that the target signs with a key of their issuer: without it no
mutated claim would ever be read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest

from django_introspection import introspect
from django_introspection.exceptions import IntrospectionUnavailable
from django_introspection.jose import SIGNING_ALGORITHMS, KeyProblem, keys_of, read_key_set
from django_introspection.jwe import check_key_set, decrypt, encryption_key, read_decryption_key
from django_introspection.outbound.jwks import read_keys
from django_introspection.outbound.messages import Reply
from django_introspection.proofs import verify_proof
from django_introspection.protocol.assertion import assertion_problem
from django_introspection.protocol.dpop import InvalidProof, normal_uri, thumbprint
from django_introspection.protocol.errors import InvalidResponse
from django_introspection.protocol.jwt import CONTENT_ALGORITHMS, ENCRYPTION_ALGORITHMS, MalformedJWT, parse_jwt
from django_introspection.protocol.strict_json import parse_json_object
from tests import jose
from tests.backends.issuers import access_token, claims
from tests.properties.outcomes import outcome
from tests.settings import AUDIENCE, ISSUER

from . import world
from .family import family
from .inputs import header, join, split, text

RAW, SIGNED = "raw", "signed"
LEEWAY = 30
URI = "https://api.example.com/orders"
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}


def signed(head: bytes, body: bytes, kind: str = "ES256") -> str:
    """Sign a header and claims as they are, with the fixed key of a kind."""
    from joserfc.jws import JWSRegistry

    text = f"{jose.encode(head)}.{jose.encode(body)}"
    return f"{text}.{jose.encode(JWSRegistry.algorithms[kind].sign(text.encode(), jose.key(kind)))}"


def is_intact(token: str, *kinds: str) -> bool:
    """Return whether joserfc verifies a JWT with one of the fixed keys, and nothing that is not one text."""
    from joserfc.jws import JWSRegistry

    text, _, signature = token.rpartition(".")
    for kind in kinds:
        try:
            if JWSRegistry.algorithms[kind].verify(text.encode(), jose.decode(signature), jose.key(kind)):
                return True
        except ValueError:
            continue
    return False


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _jwt_seeds() -> Iterator[bytes]:
    good = claims(world.JWT_ISSUER)
    yield join(RAW, access_token(world.JWT_ISSUER))
    yield join(RAW, access_token(world.JWT_ISSUER, aud="https://other.example"))
    for change in ({}, {"aud": ["x", AUDIENCE]}, {"cnf": {"jkt": "x"}}, {"exp": 1}, {"nbf": 2**33}, {"iss": "x"}):
        yield join(SIGNED, _dump(HEADER), _dump({**good, **change}))
    yield join(SIGNED, _dump({**HEADER, "typ": "JWT"}), _dump(good))
    yield join(SIGNED, _dump({**HEADER, "crit": ["exp"]}), _dump(good))


@family(
    "protocol/jwt.py", "protocol/access_token.py", "backends/jwt.py", "resource_server/acceptance.py",
    seeds=_jwt_seeds,
    words=(
        '"alg":|"typ":|"kid":|"jwk":|"crit":|"iss":|"exp":|"nbf":|"iat":|"aud":|"cnf":|"scope":|null|true|'
        '1e9|"none"|"HS256"|eyJ|.'
    ),
)  # fmt: skip
def jwts(data: bytes) -> None:
    """A JWT is accepted if its issuer signed it, for this resource server and this time, as an access token."""
    kind, head, body = split(data, 3)
    is_signed = kind != RAW.encode()
    token = signed(head, body) if is_signed else text(head)
    try:
        info = introspect(token, using="jwt")
    except IntrospectionUnavailable:
        return
    if info is None:
        return
    assert is_intact(token, "ES256", "Ed25519")
    said_header, said = jose.read(token)
    assert _members_come_once(token)
    assert said_header["typ"].lower().removeprefix("application/") == "at+jwt"
    assert said["iss"] == world.JWT_ISSUER
    assert said["exp"] > world.SECONDS - LEEWAY
    assert (said.get("nbf") or 0) <= world.SECONDS + LEEWAY
    audiences = [said["aud"]] if isinstance(said["aud"], str) else said["aud"]
    assert AUDIENCE in [re.sub(r"^(https://[^/]*?)(:0*443|:)?/", r"\1/", _lower_origin(each)) for each in audiences]
    assert not said.get("cnf")
    assert "crit" not in said_header


def _lower_origin(uri: str) -> str:
    """Return a URI with its scheme and host in lower case."""
    return re.sub(r"^[^/]*//[^/]*", lambda found: found[0].lower(), uri)


def _members_come_once(token: str) -> bool:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    for part in token.split(".")[:2]:
        json.loads(jose.decode(part), object_pairs_hook=once)
    return True


def _assertion_seeds() -> Iterator[bytes]:
    yield join(jose.assertion("signing"))
    yield join(_dump({"alg": "ES256"}), _dump(jose.assertion_claims("signing")))
    yield join(_dump({"alg": "ES256", "typ": "JWT"}), _dump(jose.assertion_claims("signing", aud=[ISSUER], nbf=1)))
    yield join(_dump({"alg": "ES256"}), _dump(jose.assertion_claims("signing", aud=[ISSUER, "https://other.example"])))


@family(
    "protocol/assertion.py", "protocol/jwt.py", "protocol/times.py",
    seeds=_assertion_seeds,
    words=(
        '"alg":|"typ":|"kid":|"jwk":|"crit":|"iss":|"exp":|"nbf":|"iat":|"aud":|"cnf":|"scope":|null|true|'
        '1e9|"none"|"HS256"|eyJ|.'
    ),
)  # fmt: skip
def assertions(data: bytes) -> None:
    """An assertion that has no problem is from its client, for this issuer alone, and short-lived."""
    head, body = split(data, 2)
    value = text(head) if not body else f"{jose.encode(head)}.{jose.encode(body)}."
    jwt = outcome(lambda: parse_jwt(value), MalformedJWT)
    if isinstance(jwt, MalformedJWT):
        return
    now = float(world.SECONDS)
    if assertion_problem(jwt, client_id="signing", issuer=ISSUER, now=now, leeway=LEEWAY) is None:
        said = json.loads(jose.decode(value.split(".")[1]))
        assert said["iss"] == said["sub"] == "signing"
        assert said["aud"] in (ISSUER, [ISSUER])
        assert now - LEEWAY < said["exp"] <= now + 300 + LEEWAY
        assert isinstance(said["jti"], str)


def _proof_seeds() -> Iterator[bytes]:
    good = {"jti": "a", "htm": "GET", "htu": URI, "iat": world.SECONDS, "ath": _ath("token")}
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jose.public("ES256")}
    yield join(RAW, jose.proof("token", URI))
    yield join(RAW, jose.proof("token", URI, alg="Ed25519"))
    for change in ({}, {"htu": f"{URI}?q#f"}, {"htu": "HTTPS://API.example.com:443/x/../orders"}, {"iat": 1.5}):
        yield join(SIGNED, _dump(head), _dump({**good, **change}))
    yield join(SIGNED, _dump({**head, "jwk": jose.private("ES256")}), _dump(good))
    yield join(SIGNED, _dump({**head, "jwk": {"kty": "oct", "k": "AA"}}), _dump(good))


def _ath(token: str) -> str:
    return jose.encode(hashlib.sha256(token.encode()).digest())


@family(
    "protocol/dpop.py", "proofs.py", "protocol/jwt.py", "jose.py",
    seeds=_proof_seeds,
    words=(
        '"alg":|"typ":|"kid":|"jwk":|"crit":|"iss":|"exp":|"nbf":|"iat":|"aud":|"cnf":|"scope":|null|true|'
        '1e9|"none"|"HS256"|eyJ|.|"htm":"GET"|"htu":"|"ath":"|"jti":"|https://api.example.com/orders|'
        '%2e%2e|"d":"|"kty":"EC"'
    ),
)  # fmt: skip
def proofs(data: bytes) -> None:
    """A proof is accepted for its request, its token and its moment, if its own public key made the signature."""
    kind, head, body = split(data, 3)
    value = signed(head, body) if kind != RAW.encode() else header(head)
    request = HttpRequest()
    request.method, request.path = "GET", "/orders"
    request.META["HTTP_DPOP"] = value
    uris = frozenset({normal_uri(URI)})
    proof = outcome(
        lambda: verify_proof(request, receiver="x", uris=uris, token="token", nonces=None),
        InvalidProof,
    )
    if isinstance(proof, InvalidProof):
        return
    kinds = [kind for kind in ("ES256", "Ed25519") if jose.thumbprint(kind) == proof.jkt]
    assert kinds
    assert is_intact(value, *kinds)
    said_header, said = jose.read(value)
    assert _members_come_once(value)
    assert said_header["typ"].lower().removeprefix("application/") == "dpop+jwt"
    assert "d" not in said_header["jwk"]
    assert said["htm"] == "GET"
    assert said["ath"] == _ath("token")
    assert said["htu"].partition("?")[0].partition("#")[0].lower().startswith("https://api.example.com")
    assert world.SECONDS - 60 <= said["iat"] <= world.SECONDS + LEEWAY
    assert 0 < proof.seconds < 200


def _encrypted_seeds() -> Iterator[bytes]:
    nested = access_token(world.JWT_ISSUER)
    for alg in ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"):
        for enc in CONTENT_ALGORITHMS:
            key = encryption_key({"keys": [jose.public("ES256", "recipient", use="enc", kid="r")]}, alg)
            assert key is not None
            yield join(key.encrypt(nested, alg, enc))
    yield join(_compressed("A" * 10_000))
    yield join(_dump({"alg": "ECDH-ES", "enc": "A128GCM", "epk": jose.public("ES256"), "zip": "DEF"}), "", "AAAA")


def _compressed(content: str) -> str:
    """Encrypt text that becomes longer when it is read."""
    from joserfc import jwe

    header = {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}
    return jwe.encrypt_compact(
        header, content, jose.key("ES256", "recipient"), algorithms=["ECDH-ES", "A128GCM", "DEF"]
    )


@family(
    "jwe.py", "protocol/jwt.py",
    seeds=_encrypted_seeds,
    words=(
        '"alg":|"typ":|"kid":|"jwk":|"crit":|"iss":|"exp":|"nbf":|"iat":|"aud":|"cnf":|"scope":|null|true|'
        '1e9|"none"|"HS256"|eyJ|.|RSA-OAEP-256|RSA-OAEP|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW|"zip":"DEF"|'
        '"epk":'
    ),
)  # fmt: skip
def encrypted(data: bytes) -> None:
    """An encrypted JWT is decrypted as a whole or rejected as malformed; nothing in it is unpacked."""
    head, key, rest = split(data, 3)
    value = text(head) if not rest else f"{jose.encode(head)}.{jose.encode(key)}.AAAAAAAAAAAAAAAA.{header(rest)}.AAAA"
    keys = [read_decryption_key(jose.private("ES256", "recipient", kid="r"))]
    found = outcome(lambda: decrypt(value, keys), MalformedJWT)
    if not isinstance(found, MalformedJWT):
        used = parse_json_object(jose.decode(value.partition(".")[0]))
        assert used["alg"] in ENCRYPTION_ALGORITHMS
        assert used["enc"] in CONTENT_ALGORITHMS
        assert "zip" not in used
        assert len(found) <= len(value)


def _key_seeds() -> Iterator[bytes]:
    rsa = {"kty": "RSA", "n": jose.encode(bytes([255] * 256)), "e": "AQAB"}
    one, two = jose.public("ES256", kid="one", use="sig"), jose.public("Ed25519", kid="two", alg="EdDSA")
    yield _dump({"keys": [one, two, rsa]}).encode()
    yield _dump(
        {"keys": [{**rsa, "use": "enc", "alg": "RSA-OAEP-256"}, {**one, "use": "enc", "key_ops": ["x"]}]}
    ).encode()
    yield _dump({"keys": [jose.private("ES256"), {"kty": "oct", "k": "AA"}, {}, None]}).encode()


@family(
    "jose.py", "jwe.py", "outbound/jwks.py",
    seeds=_key_seeds,
    longest=16384,
    words=(
        '"kty":|"RSA"|"EC"|"OKP"|"oct"|"crv":|"P-521"|"use":"enc"|"key_ops":|"d":|"n":|"e":|"x":|"y":|'
        '"kid":|"alg":|null|[]'
    ),
)  # fmt: skip
def key_sets(data: bytes) -> None:
    """Only public keys of known kinds verify and encrypt; any other key is left out, and never an error."""
    keys = outcome(lambda: read_keys(Reply(200, {}, data)), InvalidResponse)
    value = outcome(lambda: parse_json_object(data), ValueError)
    if isinstance(keys, InvalidResponse) or isinstance(value, ValueError):
        return
    given = keys_of(value)
    assert len(keys) == len(read_key_set(value)) <= len(given)
    for key in keys:
        assert key.algorithms <= frozenset(SIGNING_ALGORITHMS)
    outcome(lambda: check_key_set(value), KeyProblem)
    for alg in ENCRYPTION_ALGORITHMS:
        encryption_key(value, alg)
    for jwk in given:
        if isinstance(jwk, dict):
            name = outcome(lambda jwk=jwk: thumbprint(jwk), InvalidProof)
            assert isinstance(name, InvalidProof) or len(name) == 43
