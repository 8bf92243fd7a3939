"""DPoP at our endpoints: the key of new tokens (RFC 9449 §5), and that of the token of a caller (RFC 9449 §7)."""

from __future__ import annotations

import logging

from django.http import HttpRequest

from ..conf import introspection_settings
from ..jose import is_installed
from ..models import Client
from ..proofs import NonceNeeded, Nonces, Proof, uris_at, verify_proof
from ..protocol.challenge import challenge
from ..protocol.dpop import InvalidProof
from ..protocol.errors import InvalidDPoPProof, OAuthError, UseDPoPNonce
from ..protocol.identifiers import on_host_of
from ..protocol.jwt import SIGNING_ALGORITHMS
from ..protocol.presented import DPOP

logger = logging.getLogger("django_introspection")

NONCES = Nonces("django_introspection.authorization_server.dpop")
_RECEIVER = "authorization server"


def is_supported() -> bool:
    """Return whether this server verifies proofs: they need an issuer for its origin, and the extra `jwt`."""
    return introspection_settings.ISSUER is not None and is_installed()


def proven_key(request: HttpRequest, client: Client) -> str | None:
    """Return the thumbprint of the key that new tokens of a client are bound to, None for bearer tokens.

    The proof of the request is used up. Raises InvalidDPoPProof or UseDPoPNonce, also for a request without a proof if
    the client must send one (RFC 9449 §5.2), and IntrospectionUnavailable if the use cannot be recorded.
    """
    if "HTTP_DPOP" not in request.META:
        if client.dpop_bound_access_tokens:
            raise InvalidDPoPProof("This client must send a DPoP proof.")
        return None
    try:
        proof = verify(request)
        proof.consume()
    except InvalidProof as problem:
        logger.info("DPoP proof refused client=%s: %s", client.client_id, problem)
        raise refusal_of(problem) from None
    return proof.jkt


def verify(request: HttpRequest, token: str | None = None) -> Proof:
    """Return the proof of a request, not used yet, with the access token that comes with it; raises InvalidProof."""
    issuer = introspection_settings.ISSUER
    if issuer is None or not is_supported():  # an answer with a bearer token would be weaker than what was asked for
        logger.error("no DPoP proof can be verified: the setting ISSUER or the extra jwt is missing")
        raise InvalidProof("this server cannot verify proofs")
    source = introspection_settings.CLIENT_CERTIFICATES
    other = [source.origin] if source and source.origin else []
    uris = uris_at([on_host_of(issuer, ""), *other, *introspection_settings.ORIGINS], request)
    nonces = NONCES if introspection_settings.ENDPOINTS_DPOP_NONCE else None
    return verify_proof(request, receiver=_RECEIVER, uris=uris, token=token, nonces=nonces)


def refusal_of(problem: InvalidProof) -> OAuthError:
    """Return the answer to a token request with an invalid proof (RFC 9449 §5, §8)."""
    if isinstance(problem, NonceNeeded):
        return UseDPoPNonce(NONCES.fresh())
    return InvalidDPoPProof(f"The DPoP proof is invalid: {problem}.")


def caller_refusal_of(problem: InvalidProof) -> OAuthError:
    """Return the answer to a caller whose token came with an invalid proof: 401 with a challenge (RFC 9449 §7.1)."""
    refusal = refusal_of(problem)
    refusal.status = 401
    refusal.challenges = (dpop_challenge(error=refusal.error, error_description=refusal.description),)
    return refusal


def dpop_challenge(**params: str) -> str:
    """Return the challenge for a token with a proof; it names the algorithms of proofs (RFC 9449 §7.1)."""
    return challenge(DPOP, **params, algs=" ".join(SIGNING_ALGORITHMS))


def next_nonce() -> dict[str, str]:
    """Return the header with the nonce for the next proof of a client, if proofs need one (RFC 9449 §8.2)."""
    return {"DPoP-Nonce": NONCES.fresh()} if introspection_settings.ENDPOINTS_DPOP_NONCE else {}
