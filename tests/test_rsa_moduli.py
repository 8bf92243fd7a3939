"""The RSA keys that are refused: too weak, too large, or of the broken generator of CVE-2017-15361."""

from __future__ import annotations

import secrets
from functools import cache
from math import prod
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey

from django_introspection.jose import KeyProblem, read_key_set, read_signing_key, read_verification_key
from django_introspection.jwe import read_encryption_key
from django_introspection.rsa_moduli import problem_of_modulus

SIEVE = [number for number in range(2, 702) if all(number % factor for factor in range(2, number))]
PRIMORIAL = prod(SIEVE)
"""The product of the first 126 primes, by which the broken generator made keys of 2048 bits."""


def is_prime(number: int) -> bool:
    """Return whether a number is a prime, by Fermat: numbers that are chosen at random do not deceive it."""
    return pow(2, number - 1, number) == 1 and pow(3, number - 1, number) == 1


def broken_prime() -> int:
    while True:
        start = pow(65537, secrets.randbelow(PRIMORIAL), PRIMORIAL)
        lowest = (1 << 1023) // PRIMORIAL + 1
        candidate = (lowest + secrets.randbelow(lowest)) * PRIMORIAL + start
        if candidate.bit_length() == 1024 and candidate >> 1022 == 3 and is_prime(candidate):
            return candidate


@cache
def broken_key() -> rsa.RSAPrivateKey:
    """Return a key of 2048 bits as the broken generator made them."""
    p, q, e = broken_prime(), broken_prime(), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def public_jwk(**members: str) -> dict[str, Any]:
    return {"kty": "RSA", **RSAKey.binding.export_public_key(broken_key().public_key()), **members}


def test_a_public_key_of_the_broken_generator_is_refused() -> None:
    with pytest.raises(KeyProblem, match="CVE-2017-15361"):
        read_verification_key(public_jwk())
    with pytest.raises(KeyProblem, match="CVE-2017-15361"):
        read_encryption_key(public_jwk(use="enc"))


def test_a_key_set_leaves_such_a_key_out() -> None:
    good = RSAKey.generate_key(2048).as_dict(private=False)

    assert [key.kid for key in read_key_set({"keys": [public_jwk(kid="broken"), {**good, "kid": "good"}]})] == ["good"]


@pytest.mark.parametrize("form", ["PEM", "JWK"])
def test_a_signing_key_of_the_broken_generator_is_refused(form: str) -> None:
    pem = broken_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    jwk = {"kty": "RSA", **RSAKey.binding.export_private_key(broken_key())}

    with pytest.raises(KeyProblem, match="CVE-2017-15361"):
        read_signing_key(pem if form == "PEM" else jwk)


@pytest.mark.parametrize("prime", [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157])
def test_a_modulus_that_is_no_power_for_one_prime_comes_from_another_generator(prime: int) -> None:
    power = 65537 + (1 << 2047) // PRIMORIAL * PRIMORIAL + PRIMORIAL
    assert problem_of_modulus(power) is not None
    powers = {pow(65537, each, prime) for each in range(prime)}
    others = PRIMORIAL // prime

    changed = next(each for each in range(power, power + prime * others, others) if each % prime not in powers | {0})

    assert problem_of_modulus(changed) is None


def test_other_generators_are_not_mistaken_for_it() -> None:
    for _ in range(3):
        assert problem_of_modulus(rsa.generate_private_key(65537, 2048).public_key().public_numbers().n) is None


@pytest.mark.parametrize(("bits", "is_refused"), [(2047, True), (2048, False), (8192, False), (8193, True)])
def test_a_modulus_has_2048_to_8192_bits(bits: int, is_refused: bool) -> None:
    problem = problem_of_modulus((1 << bits) - 1)

    assert (problem is not None) is is_refused
    assert problem is None or "2048 to 8192 bits" in problem
