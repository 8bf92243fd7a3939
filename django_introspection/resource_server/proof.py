"""The DPoP proof that comes with a token to a view of this resource server (RFC 9449 §7)."""

from __future__ import annotations

from django.http import HttpRequest

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..jose import EXTRA_MISSING, is_installed
from ..proofs import Nonces, Proof, uris_at, verify_proof
from ..protocol.identifiers import on_host_of
from ..setting_values import NAME
from .metadata import resources_of

NONCES = Nonces("django_introspection.resource_server.proof")


def verify(request: HttpRequest, token: str, alias: str) -> Proof:
    """Return the proof that came with a token; raises InvalidProof, or InvalidSetting if none can be verified."""
    uris = uris_of(request, token_backends[alias])
    nonces = NONCES if introspection_settings.DPOP_NONCE else None
    return verify_proof(request, receiver=alias, uris=uris, token=token, nonces=nonces)


def uris_of(request: HttpRequest, backend: TokenBackend) -> frozenset[str]:
    """Return the URI of a request in normal form: one for each origin that the settings name.

    Raises InvalidSetting if no origin is named.
    """
    if not is_installed():
        raise InvalidSetting(f"DPoP: {EXTRA_MISSING}")
    if not (origins := origins_of(backend)):
        raise InvalidSetting(
            f"{NAME}['ORIGINS'] must be set: DPoP needs to know the origin at which clients reach this API."
        )
    return uris_at(origins, request)


def origins_of(backend: TokenBackend) -> tuple[str, ...]:
    """Return the origins at which clients reach this API: ORIGINS, else those of the backend's resources."""
    return introspection_settings.ORIGINS or tuple(on_host_of(resource, "") for resource in resources_of(backend))
