"""The setting SIGNING_KEYS: what it takes, what it refuses, and that it says neither."""

from __future__ import annotations

import json
import operator
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.views.debug import ExceptionReporter
from joserfc.jwk import OctKey, OKPKey, RSAKey

from django_introspection import keys
from django_introspection.exceptions import InvalidSetting
from django_introspection.jose import (
    MAX_TRIED,
    KeyProblem,
    VerificationKey,
    is_signed_by,
    read_key_set,
    read_signing_key,
)
from django_introspection.jwe import check_key_set
from django_introspection.keys import read_decryption_key, read_key, read_keys, signing_keys
from django_introspection.protocol.jwt import parse_jwt
from tests import endpoints, factories, jose
from tests.settings import TOKEN_INTROSPECTION


@pytest.fixture
def with_keys(settings: Any) -> Any:
    def configure(*entries: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SIGNING_KEYS": list(entries)}

    return configure


@pytest.fixture(scope="session")
def weak() -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point


@pytest.mark.parametrize(("alg", "preferred"), [("RS256", "RS256"), ("ES256", "ES256"), ("EdDSA", "EdDSA")])
@pytest.mark.parametrize("form", ["PEM", "JWK", "text"])
def test_a_key_may_be_pem_or_jwk_and_has_an_algorithm_of_its_own(
    with_keys: Any, alg: str, preferred: str, form: str
) -> None:
    private = jose.private(alg)
    with_keys({"KEY": {"PEM": jose.pem(alg), "JWK": private, "text": json.dumps(private)}[form]})

    (key,) = signing_keys()

    assert (key.alg, key.kid) == (preferred, jose.key(alg).thumbprint())


@pytest.mark.parametrize("escaped", ["\\n", "\\r\\n"])
@pytest.mark.parametrize("place", ["KEY", "ENV"])
def test_a_pem_on_one_line_may_have_escaped_line_ends(
    with_keys: Any, monkeypatch: pytest.MonkeyPatch, place: str, escaped: str
) -> None:
    line = jose.pem("ES256").replace("\n", escaped)
    monkeypatch.setenv("SIGNING_KEY", line)
    with_keys({"KEY": line} if place == "KEY" else {"ENV": "SIGNING_KEY"})

    (key,) = signing_keys()

    assert key.kid == jose.key("ES256").thumbprint()


@pytest.mark.parametrize("alg", jose.ALGORITHMS)
def test_the_algorithm_may_be_chosen_among_those_of_the_key(with_keys: Any, alg: str) -> None:
    with_keys({"KEY": jose.pem(alg), "ALG": alg, "KID": "mine"})

    (key,) = signing_keys()

    assert (key.alg, key.kid) == (alg, "mine")


def test_a_key_may_come_from_a_file_or_from_the_environment(
    with_keys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.pem").write_text(jose.pem("ES256"))
    monkeypatch.setenv("SIGNING_KEY", json.dumps(jose.private("EdDSA", kid="two")))
    with_keys({"FILE": tmp_path / "key.pem"}, {"ENV": "SIGNING_KEY"})

    assert [key.alg for key in signing_keys()] == ["ES256", "EdDSA"]
    assert signing_keys()[1].kid == "two"


def test_the_keys_are_read_once_and_again_when_the_settings_change(with_keys: Any, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(jose.pem("ES256"))
    with_keys({"FILE": path})
    first = signing_keys()
    path.write_text(jose.pem("EdDSA"))

    assert signing_keys() is first
    with_keys({"FILE": path})
    assert signing_keys()[0].alg == "EdDSA"


@pytest.mark.requirement("7638-3-a")
def test_the_thumbprint_is_that_of_the_standard_whatever_else_is_in_the_key(with_keys: Any) -> None:
    """Compare with RFC 7638 section 3.1, whose key is public: its thumbprint is what a private one would have."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn"
        "jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
        "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awap"
        "JzKnqDKgw"
    )
    (public,) = read_key_set({"keys": [{"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}]})
    with_keys({"KEY": jose.private("ES256", use="sig", x5t="x", alg="ES256")})
    private = jose.private("ES256")
    required = {name: private[name] for name in ("crv", "kty", "x", "y")}

    assert public._key.thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    text = json.dumps(required, separators=(",", ":"), sort_keys=True)
    assert signing_keys()[0].kid == jose.encode(sha256(text.encode()).digest())


def brainpool_pem() -> str:
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


REFUSED: dict[str, Any] = {
    "symmetric JWK": lambda: {"KEY": OctKey.generate_key(512).as_dict(private=True)},
    "secret text": lambda: {"KEY": "do-not-show-this-secret"},
    "public JWK": lambda: {"KEY": jose.public("ES256")},
    "public PEM": lambda: {"KEY": jose.key("ES256").as_pem().decode()},
    "another curve": lambda: {"KEY": brainpool_pem()},
    "a key for agreement": lambda: {"KEY": OKPKey.generate_key("X25519").as_dict(private=True)},
    "a key for encryption": lambda: {"KEY": jose.private("ES256", use="enc")},
    "a key for other operations": lambda: {"KEY": jose.private("ES256", key_ops=["verify"])},
    "an encrypted PEM": lambda: {"KEY": jose.key("ES256").as_pem(private=True, password="x").decode()},
    "a broken PEM": lambda: {"KEY": jose.pem("ES256").replace("M", "m")},
    "an algorithm of another kind": lambda: {"KEY": jose.pem("ES256"), "ALG": "RS256"},
    "a JWK with an unknown algorithm": lambda: {"KEY": jose.private("RS256", alg="RSA-OAEP")},
    "a JWK for another algorithm": lambda: {"KEY": jose.private("RS256", alg="PS256"), "ALG": "RS256"},
    "a JWK with a number as name": lambda: {"KEY": jose.private("ES256", kid=7)},
    "a JWK with a list in it": lambda: {"KEY": {**jose.private("ES256"), "d": ["x"]}},
    "a JWK that lacks a member": lambda: {"KEY": {"kty": "EC", "crv": "P-256", "d": jose.private("ES256")["d"]}},
    "a JWK with a point off the curve": lambda: {"KEY": {**jose.private("ES256"), "x": jose.encode(b"\x01" * 32)}},
    "a JWK with a member twice": lambda: {"KEY": '{"kty": "EC", "kty": "EC"}'},
}


@pytest.mark.requirement("7518-3.3-a")
@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_the_error_about_an_unusable_key_names_its_place_but_not_the_key(with_keys: Any, make: Any) -> None:
    with_keys({"KEY": jose.pem("EdDSA")}, entry := make())

    with pytest.raises(InvalidSetting) as caught:
        signing_keys()

    text = str(caught.value)
    assert text.startswith("TOKEN_INTROSPECTION['SIGNING_KEYS'][1] cannot be used: ")
    key = entry["KEY"]
    secrets = [key, *key.splitlines()] if isinstance(key, str) else [str(value) for value in key.values()]
    assert not [value for value in secrets if len(value) > 8 and value in text]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("read", [read_keys, read_key, read_decryption_key])
def test_an_error_that_nothing_expects_shows_no_key(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The readers are in the traceback, with the frames of whatever they call."""
    secret = jose.private("ES256")["d"]
    entry = {"KEY": json.dumps(jose.private("ES256"))}
    monkeypatch.setattr(keys, "parse_json_object", operator.neg)  # TypeError, without a frame of its own

    try:
        read([entry] if read is read_keys else entry)
    except TypeError:
        kind, error, trace = sys.exc_info()
    here = trace.tb_next  # the frame of this test has the key
    text = ExceptionReporter(None, kind, error, here).get_traceback_html()

    assert "_key_of" in text
    assert secret not in text


def test_the_error_about_an_entry_names_what_is_not_known_in_it(with_keys: Any) -> None:
    with_keys({"KEY": jose.pem("ES256"), "KDI": "a"})

    with pytest.raises(
        InvalidSetting, match=r"\['SIGNING_KEYS'\]\[0\] cannot be used: the entry has unknown keys: 'KDI'"
    ):
        signing_keys()


@pytest.mark.requirement("7518-3.3-a")
@pytest.mark.parametrize("form", ["PEM", "JWK"])
def test_a_weak_rsa_key_is_refused_in_either_form(with_keys: Any, weak: Any, form: str) -> None:
    from cryptography.hazmat.primitives import serialization

    text = weak.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    jwk = RSAKey.binding.export_private_key(weak)
    with_keys({"KEY": text if form == "PEM" else {"kty": "RSA", **jwk}})

    with pytest.raises(
        InvalidSetting, match=r"\['SIGNING_KEYS'\]\[0\] cannot be used: an RSA key has 2048 to 8192 bits"
    ):
        signing_keys()


@pytest.mark.requirement("7517-4.5-a")
def test_two_keys_of_one_name_are_refused(with_keys: Any) -> None:
    with_keys({"KEY": jose.pem("ES256"), "KID": "a"}, {"KEY": jose.pem("EdDSA"), "KID": "a"})
    with pytest.raises(InvalidSetting, match="must not have two keys with the same KID"):
        signing_keys()

    with_keys({"KEY": jose.pem("ES256")}, {"KEY": jose.private("ES256")})
    with pytest.raises(InvalidSetting, match="must not have two keys with the same KID"):
        signing_keys()


def test_a_key_shows_nothing_of_itself() -> None:
    key = read_signing_key(jose.private("ES256"))

    assert jose.private("ES256")["d"] not in repr(key)
    assert repr(key) == f"SigningKey(kid={key.kid!r}, alg='ES256')"


UNUSABLE: dict[str, Any] = {
    "no object": lambda: "key",
    "an unknown kind": lambda: {"kty": "AKP", "pub": "x"},
    "no kind": dict,
    "a list as kind": lambda: {"kty": ["EC"]},
    "a missing member": lambda: {"kty": "EC", "crv": "P-256", "x": "AA"},
    "a member of the wrong type": lambda: {**jose.public("ES256"), "x": 1},
    "a private key": lambda: jose.private("ES256"),
    "a symmetric key": lambda: {"kty": "oct", "k": "c2VjcmV0"},
    "for encryption": lambda: jose.public("RS256", use="enc"),
    "for other operations": lambda: jose.public("RS256", key_ops=["encrypt"]),
    "operations that are no list": lambda: jose.public("RS256", key_ops="verify"),
    "for another algorithm": lambda: jose.public("RS256", alg="ES256"),
    "algorithm number": lambda: jose.public("RS256", alg=7),
    "a modulus that is not base64url": lambda: jose.public("RS256", n="+/+/"),
    "a weak modulus": lambda: {"kty": "RSA", "n": jose.encode(b"\xff" * 128), "e": "AQAB"},
    "an endless modulus": lambda: {"kty": "RSA", "n": jose.encode(b"\xff" * 100_000), "e": "AQAB"},
    "an endless exponent": lambda: jose.public("RS256", e=jose.encode(b"\xff" * 100)),
    "an exponent of one": lambda: jose.public("RS256", e=jose.encode(b"\x01")),
    "a name that is a number": lambda: jose.public("ES256", kid=1),
}


@pytest.mark.requirement("7517-5-b", "7517-4.2-a")
@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_keys_of_a_set_are_ignored(make: Any) -> None:
    keys = read_key_set({"keys": [make(), jose.public("ES256", kid="good"), make()]})

    assert [key.kid for key in keys] == ["good"]


@pytest.mark.requirement("7517-5-b", "7517-4.2-a")
@pytest.mark.parametrize("name", sorted(UNUSABLE.keys() - {"for encryption"}))
def test_a_client_registers_no_key_that_nobody_can_use(name: str) -> None:
    make = UNUSABLE[name]
    with pytest.raises(KeyProblem, match="key 2: "):
        check_key_set({"keys": [jose.public("ES256"), make()]})


@pytest.mark.parametrize("value", [None, [], {}, {"keys": None}, {"keys": {}}, {"keys": [{}] * 257}])
def test_what_is_no_set_of_keys_is_refused(value: Any) -> None:
    with pytest.raises(KeyProblem):
        read_key_set(value)
    with pytest.raises(KeyProblem):
        check_key_set(value)


def test_a_jwt_without_a_kid_tries_few_keys_of_a_large_set(monkeypatch: pytest.MonkeyPatch) -> None:
    verify, tried = VerificationKey.verifies, []

    def counted(key: VerificationKey, jwt: Any) -> bool:
        tried.append(key)
        return verify(key, jwt)

    monkeypatch.setattr(VerificationKey, "verifies", counted)
    others = [jose.public("ES256", "two", kid=f"other-{number}") for number in range(200)]
    keys = read_key_set({"keys": [*others, jose.public("ES256", kid="one"), jose.public("EdDSA", kid="three")]})

    named = jose.sign({"alg": "ES256", "kid": "one"}, {}, jose.key("ES256"))
    assert is_signed_by(keys, parse_jwt(named))
    assert len(tried) == 1
    tried.clear()
    assert not is_signed_by(keys, parse_jwt(jose.sign({"alg": "ES256"}, {}, jose.key("ES256", "three"))))
    assert len(tried) == MAX_TRIED


def test_without_the_extra_it_is_named_and_nothing_is_offered_that_needs_it(
    with_keys: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "joserfc", None)

    with_keys({"KEY": jose.pem("ES256")})
    with pytest.raises(InvalidSetting, match=r"\['SIGNING_KEYS'\]\[0\] cannot be used: the extra jwt is not installed"):
        signing_keys()
    with pytest.raises(CommandError, match="the extra jwt is not installed"):
        call_command("introspection_key", "generate")
    settings.TOKEN_INTROSPECTION = TOKEN_INTROSPECTION
    document = Browser().get("/.well-known/oauth-authorization-server").json()
    assert "private_key_jwt" not in document["token_endpoint_auth_methods_supported"]
    assert not [name for name in document if "signing_alg" in name]


@pytest.mark.django_db
def test_without_the_extra_nobody_authenticates_by_an_assertion(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"keys": [jose.public("ES256")]}
    client = factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks=keys).client
    form = {"token": "x", **jose.asserting(jose.assertion(client.client_id))}
    monkeypatch.setitem(sys.modules, "joserfc", None)

    assert endpoints.post("/oauth/introspect", form).status_code == 401


@pytest.mark.django_db
def test_a_row_whose_keys_were_never_validated_authenticates_nobody() -> None:
    keys = {"keys": [jose.public("ES256")]}
    client = factories.RegistrationFactory(token_endpoint_auth_method="private_key_jwt", jwks=keys).client
    for broken in ({}, [], {"keys": "x"}):
        client.jwks = broken
        client.save()
        form = {"token": "x", **jose.asserting(jose.assertion(client.client_id))}

        assert endpoints.post("/oauth/introspect", form).status_code == 401
