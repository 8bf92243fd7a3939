"""Tokens of allauth's identity provider as a token backend."""

from __future__ import annotations

from ...backends.base import TokenBackend
from ...conf import introspection_settings
from ...protocol.answer import Answer
from ...protocol.error_reports import conceal_locals
from .tokens import answer_for_allauth_token


class AllauthBackend(TokenBackend):
    """Look tokens up by hash, opaque ones and JWTs: one statement."""

    is_remote = False

    @property
    def identity_issuer(self) -> str:
        """The issuer that its answers name; the alias alone if there is none."""
        return introspection_settings.ISSUER or super().identity_issuer

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the database; raises IntrospectionUnavailable if it does not answer."""
        return answer_for_allauth_token(token)
