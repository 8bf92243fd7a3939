"""The DPoP proof of a request: its sender holds a key, and the proof is used once (RFC 9449 §4.3, §7)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.encoding import escape_uri_path

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, KeyProblem, is_installed, read_verification_key
from ..outbound.threads import call_in_thread
from ..protocol.dpop import MAX_AGE, InvalidProof, check_claims, check_time, normal_uri, read_proof, thumbprint
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import on_host_of
from ..protocol.jwt import UnverifiedJWT, encode_base64url
from ..setting_values import NAME
from ..shared_caches import shared_cache
from .metadata import resources_of

NONCE_WINDOW = 300
"""Seconds in which every nonce is the same; one is valid in its window and the next."""


class NonceNeeded(InvalidProof):
    """The proof has no nonce that was issued lately (RFC 9449 §9)."""


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A valid proof: the thumbprint of its key, and the name under which it is remembered for so many seconds."""

    jkt: str
    name: str
    seconds: int

    def consume(self) -> None:
        """Use the proof; raises InvalidProof if it was used before, IntrospectionUnavailable if the cache fails."""
        try:
            is_first_use = shared_cache(introspection_settings.REPLAY_CACHE).add(self.name, 1, self.seconds)
        except Exception as error:  # noqa: BLE001 - each cache library has its own
            # if the cache cannot record the proof, a second use could not be refused
            detail = f"the cache of used proofs does not answer: {type(error).__name__}"
            raise IntrospectionUnavailable(detail) from None
        if not is_first_use:
            raise InvalidProof("it was used before")

    async def aconsume(self) -> None:
        """Use like `consume`, without blocking the event loop."""
        await call_in_thread(self.consume)


def verify(request: HttpRequest, token: str, alias: str) -> Proof:
    """Return the proof that came with a token; raises InvalidProof, or InvalidSetting if none can be verified."""
    uris = uris_of(request, token_backends[alias])
    jwt = read_proof(request.META.get("HTTP_DPOP"))
    check_claims(jwt.claims, method=request.method or "", uris=uris, token=token)
    seconds = _seconds_left(jwt)
    jkt = _verified_key(jwt)
    claimed = (alias, jkt, jwt.claims["jti"], normal_uri(jwt.claims["htu"]))
    name = hashlib.sha256("\0".join(map(str, claimed)).encode()).hexdigest()
    return Proof(jkt, f"introspection:proof:{name}", seconds)


def _seconds_left(jwt: UnverifiedJWT) -> int:
    """Return for how long a proof must be remembered; raises InvalidProof for one of another time.

    With nonces, the nonce says when a proof was made, and the clock of the client does not count (RFC 9449 §4.3 item
    11): a client with a wrong clock learns a nonce and comes in.
    """
    now = time.time()
    if not introspection_settings.DPOP_NONCE:
        check_time(jwt.claims, now=now, leeway=introspection_settings.LEEWAY)
        return int(jwt.claims["iat"] - now) + MAX_AGE + 2
    if jwt.claims.get("nonce") not in _nonces(now):
        raise NonceNeeded("it has no valid nonce")
    return 2 * NONCE_WINDOW + 2


def fresh_nonce() -> str:
    """Return the nonce to send to a client (RFC 9449 §9)."""
    return _nonces(time.time())[0]


def uris_of(request: HttpRequest, backend: TokenBackend) -> frozenset[str]:
    """Return the URI of a request in normal form: one for each origin that the settings name.

    The sender of a request chooses its Host. Raises InvalidSetting if no origin is named.
    """
    if not is_installed():
        raise InvalidSetting(f"DPoP: {EXTRA_MISSING}")
    if not (origins := origins_of(backend)):
        raise InvalidSetting(
            f"{NAME}['ORIGINS'] must be set: DPoP needs to know the origin at which clients reach this API."
        )
    path = escape_uri_path(request.path)
    return frozenset(filter(None, (normal_uri(origin + path) for origin in origins)))


def origins_of(backend: TokenBackend) -> tuple[str, ...]:
    """Return the origins at which clients reach this API: ORIGINS, else those of the backend's resources."""
    return introspection_settings.ORIGINS or tuple(on_host_of(resource, "") for resource in resources_of(backend))


def _verified_key(jwt: UnverifiedJWT) -> str:
    """Return the thumbprint of the key that made a proof; raises InvalidProof."""
    try:
        key = read_verification_key(jwt.header["jwk"])
    except KeyProblem:
        raise InvalidProof("jwk is not a public key that is accepted here") from None
    if not key.verifies(jwt):
        raise InvalidProof("the signature is not by its jwk")
    return thumbprint(jwt.header["jwk"])


def _nonces(now: float) -> list[str]:
    """Return the nonces that are valid now, the newest first; every process with this SECRET_KEY knows them."""
    window = int(now // NONCE_WINDOW)
    return [
        encode_base64url(
            salted_hmac("django_introspection.resource_server.proof", str(each), algorithm="sha256").digest()
        )
        for each in (window, window - 1)
    ]
