"""Authorization server metadata (RFC 8414)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...conf import introspection_settings
from ...protocol.errors import InvalidRequest
from ...protocol.identifiers import path_of
from ..metadata import server_document
from .base import ProtocolView, public_response

MAX_AGE = 3600


class MetadataView(ProtocolView):
    """Describe this authorization server, from its configured issuer and never from the Host of a request."""

    def get(self, request: HttpRequest, issuer_path: str = "") -> HttpResponse:
        """Answer if the path is the issuer's (RFC 8414 §3.1)."""
        issuer = introspection_settings.ISSUER
        if issuer is None or issuer_path.strip("/") != path_of(issuer):
            raise InvalidRequest("There is no such issuer here.", status=404)
        return public_response(server_document(issuer), max_age=MAX_AGE)
