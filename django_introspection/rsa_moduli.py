"""The RSA moduli that are refused: too short, too long, or made by a generator that is known to be broken."""

from __future__ import annotations

from functools import cache

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
"""RFC 7518 §3.3 asks for the least; the most keeps a key of somebody else from costing us seconds."""
_ROCA_GENERATOR = 65537
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
"""Of the primes that the smallest keys of CVE-2017-15361 share, those for which the powers are not all numbers."""


def problem_of_modulus(modulus: int) -> str | None:
    """Return why an RSA key with this modulus is refused, None if it is not."""
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        return f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits"
    if _has_roca_structure(modulus):
        return "its generator was broken, and its private key can be computed (CVE-2017-15361)"
    return None


def _has_roca_structure(modulus: int) -> bool:
    """Return whether a modulus is a power of 65537 modulo each of the primes.

    The prime factors of such keys are, and so their product is. A good modulus is with a chance of one in 2**27.
    """
    return all(modulus % prime in powers for prime, powers in _powers().items())


@cache
def _powers() -> dict[int, frozenset[int]]:
    return {prime: frozenset(pow(_ROCA_GENERATOR, each, prime) for each in range(prime)) for prime in _ROCA_PRIMES}
