"""Tokens of django-oauth-toolkit as a token backend."""

from __future__ import annotations

from oauth2_provider.settings import oauth2_settings

from ...backends.base import TokenBackend
from ...conf import introspection_settings
from ...protocol.answer import Answer
from ...protocol.error_reports import conceal_locals
from .tokens import answer_for_oauth_toolkit_token


class OAuthToolkitBackend(TokenBackend):
    """Look tokens up by checksum: one statement for an access token, a second one if none is found."""

    is_remote = False

    @property
    def identity_issuer(self) -> str:
        """The issuer that its answers name; the alias alone if there is none."""
        return introspection_settings.ISSUER or oauth2_settings.OIDC_ISS_ENDPOINT or super().identity_issuer

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the database; raises IntrospectionUnavailable if it does not answer."""
        return answer_for_oauth_toolkit_token(token)
