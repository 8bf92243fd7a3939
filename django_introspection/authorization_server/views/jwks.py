"""The public keys of this server (RFC 7517 §5)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...keys import signing_keys
from .base import ProtocolView, public_response

MAX_AGE = 600


class JWKSView(ProtocolView):
    """Publish what verifies our signatures, and nothing that makes them."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer with every key of the setting SIGNING_KEYS, the retired ones too."""
        return public_response({"keys": [key.public_jwk for key in signing_keys()]}, max_age=MAX_AGE)
