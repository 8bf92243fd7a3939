"""The DPoP proof of a request: its sender holds a key, and the proof is used once (RFC 9449 §4.3)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.encoding import escape_uri_path

from .cache_calls import PATIENCE, CacheCalls, CacheUnavailable
from .conf import introspection_settings
from .jose import KeyProblem, read_verification_key
from .outbound.threads import call_in_thread
from .protocol.dpop import MAX_AGE, InvalidProof, check_claims, check_time, normal_uri, read_proof, thumbprint
from .protocol.errors import IntrospectionUnavailable
from .protocol.jwt import UnverifiedJWT, encode_base64url

NONCE_WINDOW = 300
"""Seconds in which every nonce is the same; one is valid in its window and the next."""
UNAVAILABLE = "the cache of used proofs does not answer"

_calls = CacheCalls("used proofs", level=logging.ERROR, must_last=True)


class NonceNeeded(InvalidProof):
    """The proof has no nonce that was issued lately (RFC 9449 §8, §9)."""


@dataclass(frozen=True, slots=True)
class Nonces:
    """The nonces of one receiver of proofs; those of another receiver are different (RFC 9449 §9).

    They are made of the time and the SECRET_KEY, so that every process knows them and none is stored.
    """

    receiver: str

    def fresh(self) -> str:
        """Return the nonce to send to a client."""
        return self._valid(time.time())[0]

    def accept(self, nonce: object, now: float) -> bool:
        """Return whether a nonce was issued lately; `now` is in seconds."""
        return nonce in self._valid(now)

    def _valid(self, now: float) -> list[str]:
        """Return the nonces that are valid now, the newest first."""
        window = int(now // NONCE_WINDOW)
        macs = (salted_hmac(self.receiver, str(each), algorithm="sha256") for each in (window, window - 1))
        return [encode_base64url(mac.digest()) for mac in macs]


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A valid proof: the thumbprint of its key, and the name under which it is remembered for so many seconds."""

    jkt: str
    name: str
    seconds: int

    def consume(self) -> None:
        """Use the proof; raises InvalidProof if it was used before, IntrospectionUnavailable if the cache fails."""
        try:
            is_first_use = _calls.make(introspection_settings.REPLAY_CACHE, "add", self.name, 1, self.seconds)
        except CacheUnavailable:  # if the cache cannot record the proof, a second use could not be refused
            raise IntrospectionUnavailable(UNAVAILABLE) from None
        if not is_first_use:
            raise InvalidProof("it was used before")

    async def aconsume(self) -> None:
        """Use like `consume`, without blocking the event loop, and wait no longer than PATIENCE seconds."""
        try:
            async with asyncio.timeout(PATIENCE):
                await call_in_thread(self.consume)
        except TimeoutError:
            raise IntrospectionUnavailable(UNAVAILABLE) from None


def verify_proof(
    request: HttpRequest, *, receiver: str, uris: frozenset[str], token: str | None, nonces: Nonces | None
) -> Proof:
    """Return the proof of a request, not used yet; raises InvalidProof, and NonceNeeded if only a nonce is missing.

    A proof is used once at each `receiver`. `uris` are the normal forms of the URI of the request, `token` is the
    access token that comes with the proof, if there is one. `nonces` are those that the receiver asks for, if it does.
    """
    jwt = read_proof(request.META.get("HTTP_DPOP"))
    check_claims(jwt.claims, method=request.method or "", uris=uris, token=token)
    seconds = _seconds_left(jwt, nonces)
    jkt = _verified_key(jwt)
    claimed = (receiver, jkt, jwt.claims["jti"], normal_uri(jwt.claims["htu"]))
    name = hashlib.sha256("\0".join(map(str, claimed)).encode()).hexdigest()
    return Proof(jkt, f"introspection:proof:{name}", seconds)


def uris_at(origins: Iterable[str], request: HttpRequest) -> frozenset[str]:
    """Return the URI of a request in normal form, one for each origin: the sender of a request chooses its Host."""
    # the path of an ASGIRequest lacks a prefix that a proxy took off
    prefix = request.META.get("SCRIPT_NAME", "").rstrip("/")
    path = escape_uri_path(f"{prefix}/{request.path_info.removeprefix('/')}")
    return frozenset(filter(None, (normal_uri(origin + path) for origin in origins)))


def _seconds_left(jwt: UnverifiedJWT, nonces: Nonces | None) -> int:
    """Return for how long a proof must be remembered; raises InvalidProof for one of another time.

    With nonces, the nonce says when a proof was made, and the clock of the client does not count (RFC 9449 §4.3 item
    11): a client with a wrong clock learns a nonce and comes in.
    """
    now = time.time()
    if nonces is None:
        check_time(jwt.claims, now=now, leeway=introspection_settings.LEEWAY)
        return int(jwt.claims["iat"] - now) + MAX_AGE + 2
    if not nonces.accept(jwt.claims.get("nonce"), now):
        raise NonceNeeded("it has no valid nonce")
    return 2 * NONCE_WINDOW + 2


def _verified_key(jwt: UnverifiedJWT) -> str:
    """Return the thumbprint of the key that made a proof; raises InvalidProof."""
    try:
        key = read_verification_key(jwt.header["jwk"])
    except KeyProblem:
        raise InvalidProof("jwk is not a public key that is accepted here") from None
    if not key.verifies(jwt):
        raise InvalidProof("the signature is not by its jwk")
    return thumbprint(jwt.header["jwk"])
