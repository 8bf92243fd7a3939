"""Nested JWTs, with joserfc on the other end."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwe as theirs
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from django_introspection.jose import KeyProblem
from django_introspection.jwe import check_key_set, decrypt, encryption_key, read_decryption_key, read_encryption_key
from django_introspection.protocol.jwt import CONTENT_ALGORITHMS, ENCRYPTION_ALGORITHMS, MalformedJWT
from tests import jose

RSA, EC, X25519 = RSAKey.generate_key(2048), ECKey.generate_key("P-256"), OKPKey.generate_key("X25519")
KEYS: dict[str, Key] = {alg: RSA if alg.startswith("RSA") else EC for alg in ENCRYPTION_ALGORITHMS}
NESTED = "signed.by.somebody"


def encrypted(key: Any, alg: str = "ECDH-ES", enc: str = "A128GCM", text: str = NESTED, **header: Any) -> str:
    return theirs.encrypt_compact({"alg": alg, "enc": enc, **header}, text, key, algorithms=[alg, enc])


def private(key: Key, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=True), **members}


def public(key: Key, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


@pytest.mark.requirement("9701-5-f")
@pytest.mark.parametrize("enc", CONTENT_ALGORITHMS)
@pytest.mark.parametrize("alg", ENCRYPTION_ALGORITHMS)
def test_what_we_encrypt_others_decrypt_and_the_other_way_round(alg: str, enc: str) -> None:
    key = KEYS[alg]
    ours = read_encryption_key(public(key, kid="one", use="enc")).encrypt(NESTED, alg, enc)
    read = theirs.decrypt_compact(ours, key, algorithms=[alg, enc])

    assert read.plaintext == NESTED.encode()
    assert read.headers().items() >= {"alg": alg, "enc": enc, "cty": "JWT", "kid": "one"}.items()
    assert decrypt(ours, [read_decryption_key(private(key))]) == NESTED
    assert decrypt(encrypted(key, alg, enc), [read_decryption_key(key.as_pem(private=True).decode())]) == NESTED


def test_claims_that_are_repeated_in_the_header_make_no_difference() -> None:
    """As node oidc-provider writes them (RFC 7519 §5.3)."""
    registry = theirs.JWERegistry(algorithms=["ECDH-ES", "A128GCM"], strict_check_header=False)
    header = {"alg": "ECDH-ES", "enc": "A128GCM", "iss": "https://as.example.com", "aud": "orders-api"}
    value = theirs.encrypt_compact(header, NESTED, EC, registry=registry)

    assert decrypt(value, [read_decryption_key(private(EC))]) == NESTED


@pytest.mark.requirement("9701-6-a")
def test_the_default_of_the_content_is_that_of_the_standard() -> None:
    ours = read_encryption_key(public(X25519)).encrypt(NESTED, "ECDH-ES+A256KW")

    read = theirs.decrypt_compact(ours, X25519, algorithms=["ECDH-ES+A256KW", "A128CBC-HS256"])
    assert read.headers()["enc"] == "A128CBC-HS256"
    assert "kid" not in read.headers()


def test_the_key_with_the_name_of_the_header_is_tried_or_every_key() -> None:
    old, new = (read_decryption_key(private(ECKey.generate_key("P-256")), kid=kid) for kid in ("old", "new"))
    mine = read_decryption_key(private(EC), kid="mine")

    assert decrypt(encrypted(EC, kid="mine"), [old, mine]) == NESTED
    assert decrypt(encrypted(EC), [old, mine, new]) == NESTED
    assert decrypt(encrypted(EC, kid="a name of somebody else's"), [old, mine]) == NESTED
    with pytest.raises(MalformedJWT):
        decrypt(encrypted(EC, kid="old"), [old, mine])


@pytest.mark.parametrize(
    "value",
    [
        encrypted(ECKey.generate_key("P-256")),
        encrypted(OctKey.generate_key(128), "A128KW"),
        encrypted(OctKey.generate_key(128), "dir"),
        f"{jose.part({'alg': 'RSA1_5', 'enc': 'A128GCM'})}.{encrypted(RSA, 'RSA-OAEP').partition('.')[2]}",
        encrypted(EC, "ECDH-ES+A192KW"),
        f"{jose.part({'alg': 'ECDH-ES', 'enc': 'A128GCM', 'zip': 'DEF'})}.{encrypted(EC).partition('.')[2]}",
        encrypted(EC)[:-4] + "AAAA",
        encrypted(EC) + ".AAAA",
        encrypted(EC).replace(".", "..", 1),
        f"{jose.part({'alg': 'ECDH-ES', 'enc': 'A128GCM', 'crit': ['b64']})}.A.A.A.A",
        f"{jose.part({'alg': ['ECDH-ES'], 'enc': 'A128GCM'})}.A.A.A.A",
        f"{jose.part({'alg': 'ECDH-ES', 'enc': 'A128GCM'})}.A.A.A.A",
        f"{jose.part([])}.A.A.A.A",
        "é.A.A.A.A",
        "....",
        NESTED,
        "",
    ],
    ids=[
        *("another key", "another kind of key", "direct encryption", "RSA1_5", "ECDH-ES+A192KW", "zip", "another tag"),
        *("a sixth part", "a part in between", "crit", "a list as alg", "no content", "a list as header", "no ASCII"),
        *("nothing but dots", "signed alone", "nothing"),
    ],
)
def test_anything_else_is_malformed(value: str) -> None:
    keys = [read_decryption_key(private(EC)), read_decryption_key(private(RSA))]

    with pytest.raises(MalformedJWT):
        decrypt(value, keys)
    with pytest.raises(MalformedJWT):
        decrypt(encrypted(EC), [])


@pytest.mark.requirement("9701-6-a")
def test_the_key_of_a_client_is_one_for_encryption_and_for_the_algorithm() -> None:
    signing, plain, named = public(RSA, use="sig", kid="s"), public(RSA, kid="p"), public(RSA, use="enc", kid="n")
    curve = public(EC, alg="ECDH-ES", kid="c")

    def chosen(alg: str, *keys: Any) -> str | None:
        key = encryption_key({"keys": list(keys)}, alg)
        return None if key is None else key.kid

    assert chosen("RSA-OAEP-256", signing, plain, named) == "n"
    assert chosen("RSA-OAEP-256", 5, {"kty": "RSA"}, signing, plain) == "p"
    assert chosen("RSA-OAEP-256", signing, curve) is None
    assert chosen("ECDH-ES", named, curve) == "c"
    assert chosen("ECDH-ES+A128KW", named, curve) is None
    assert encryption_key({}, "ECDH-ES") is encryption_key(None, "ECDH-ES") is None


@pytest.mark.parametrize(
    "key",
    [
        private(EC),
        public(EC, use="sig"),
        public(EC, key_ops=["verify"]),
        public(EC, key_ops=[{}]),
        public(EC, alg="ES256"),
        public(RSA, alg="RSA1_5"),
        public(OKPKey.generate_key("Ed25519")),
        public(ECKey.generate_key("secp256k1")),
        OctKey.generate_key(256).as_dict(private=True),
        None,
    ],
)
def test_a_key_for_something_else_encrypts_nothing(key: Any) -> None:
    with pytest.raises(KeyProblem):
        read_encryption_key(key)


def test_a_public_key_and_one_that_signs_decrypt_nothing() -> None:
    for key in (public(EC), private(EC, use="sig"), private(EC, key_ops=["sign"])):
        with pytest.raises(KeyProblem):
            read_decryption_key(key)


def test_a_set_of_keys_may_have_keys_of_both_kinds() -> None:
    check_key_set({"keys": [jose.public("ES256", kid="a"), public(X25519, use="enc", kid="b")]})

    for wrong in (public(X25519), private(X25519, use="enc"), jose.public("Ed25519", use="enc")):
        with pytest.raises(KeyProblem, match="key 2: "):
            check_key_set({"keys": [jose.public("ES256"), wrong]})
    with pytest.raises(KeyProblem, match="the same kid"):
        check_key_set({"keys": [jose.public("ES256", kid="a"), public(X25519, use="enc", kid="a")]})
    with pytest.raises(KeyProblem, match="has no keys"):
        check_key_set({"keys": []})
