"""The DPoP proof of a request: that its sender holds a key, said once (RFC 9449 §4.3, §7)."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.encoding import escape_uri_path
from django.views.decorators.debug import sensitive_variables

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, KeyProblem, is_installed, read_verification_key
from ..protocol.dpop import MAX_AGE, InvalidProof, check_claims, normal_uri, read_proof, thumbprint
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import on_host_of
from ..protocol.jwt import UnverifiedJWT, encode_base64url
from ..setting_values import NAME
from .metadata import resources_of

NONCE_WINDOW = 300
"""Seconds in which every nonce is the same; one is good in its window and the next."""


class NonceNeeded(InvalidProof):
    """The proof does not have a nonce that was given out lately (RFC 9449 §9)."""


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A good proof: the thumbprint of its key, and under which name it is remembered for how many seconds."""

    jkt: str
    name: str
    seconds: int

    def consume(self) -> None:
        """Use the proof; raises InvalidProof where it was used before, IntrospectionUnavailable where nobody knows."""
        try:
            is_first_use = caches[introspection_settings.REPLAY_CACHE].add(self.name, 1, self.seconds)
        except Exception as error:  # noqa: BLE001 - each cache library has its own
            # whoever cannot remember must not believe
            detail = f"the cache of used proofs does not answer: {type(error).__name__}"
            raise IntrospectionUnavailable(detail) from None
        if not is_first_use:
            raise InvalidProof("it was used before")

    async def aconsume(self) -> None:
        """Use like `spend`, without blocking the event loop."""
        await sync_to_async(self.consume, thread_sensitive=False)()


@sensitive_variables("token")
def verify(request: HttpRequest, token: str, alias: str) -> Proof:
    """Return the proof that came with a token; raises InvalidProof, or InvalidSetting where none could be verified."""
    uris = uris_of(request, token_backends[alias])
    jwt = read_proof(request.META.get("HTTP_DPOP"))
    now = time.time()
    leeway = introspection_settings.LEEWAY
    check_claims(jwt.claims, method=request.method or "", uris=uris, token=token, now=now, leeway=leeway)
    if introspection_settings.DPOP_NONCE and jwt.claims.get("nonce") not in _nonces(now):
        raise NonceNeeded("it has no nonce that is good now")
    jkt = _verified_key(jwt)
    said = (alias, jkt, jwt.claims["jti"], normal_uri(jwt.claims["htu"]))
    name = hashlib.sha256("\0".join(map(str, said)).encode()).hexdigest()
    return Proof(jkt, f"introspection:proof:{name}", int(jwt.claims["iat"] - now) + MAX_AGE + 2)


def fresh_nonce() -> str:
    """Return the nonce to send to a client (RFC 9449 §9)."""
    return _nonces(time.time())[0]


def uris_of(request: HttpRequest, backend: TokenBackend) -> frozenset[str]:
    """Return the URI that was asked, in normal form: one for each origin that the settings name.

    The Host of a request is what its sender likes. Raises InvalidSetting where no origin is named.
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
        raise InvalidProof("jwk is no public key that is taken here") from None
    if not key.verifies(jwt):
        raise InvalidProof("the signature is not by its jwk")
    return thumbprint(jwt.header["jwk"])


def _nonces(now: float) -> list[str]:
    """Return the nonces that are good now, the newest first; every process with this SECRET_KEY knows them."""
    window = int(now // NONCE_WINDOW)
    return [
        encode_base64url(
            salted_hmac("django_introspection.resource_server.proof", str(each), algorithm="sha256").digest()
        )
        for each in (window, window - 1)
    ]
