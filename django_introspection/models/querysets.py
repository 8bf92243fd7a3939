"""How rows are found. A decision always reads the primary database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models, router

if TYPE_CHECKING:  # ruff does not see the names in the bases
    from ..authorization_server.issuing import IssuedToken, Registration
    from .client import Client  # noqa: F401
    from .client_secret import ClientSecret  # noqa: F401
    from .token import Token  # noqa: F401


class ClientQuerySet(models.QuerySet["Client"]):
    """Registered clients."""

    def register(self, **metadata: Any) -> Registration:
        """Register a client and make its first secret.

        Returns `(client, secret)`; the secret exists in the clear nowhere else. See
        `authorization_server.issuing.register` for the arguments and errors.
        """
        from ..authorization_server.issuing import register

        return register(**metadata)


class ClientSecretQuerySet(models.QuerySet["ClientSecret"]):
    """The secrets of clients."""

    def matching(self, client_id: str, digest: bytes) -> Self:
        """Return the one secret of a client with this digest: a single statement, whoever asks."""
        primary = self.using(router.db_for_write(self.model))
        return primary.filter(client__client_id=client_id, digest=digest).select_related("client")


class TokenQuerySet(models.QuerySet["Token"]):
    """Opaque tokens of both kinds."""

    def issue(self, **grant: Any) -> IssuedToken:
        """Issue an access token, and with `refresh=True` a refresh token beside it.

        The values exist in the clear only in what is returned. See `authorization_server.issuing.issue` for
        the arguments and errors.
        """
        from ..authorization_server.issuing import issue

        return issue(**grant)

    def with_digest(self, digest: bytes) -> Self:
        """Return the one token with this digest, its client and its user in the same statement."""
        primary = self.using(router.db_for_write(self.model))
        return primary.filter(digest=digest).select_related("client", "user")

    def revoke(self, at: datetime) -> int:
        """Mark the tokens of this set that are not yet revoked; returns how many there were."""
        return self.filter(revoked_at=None).update(revoked_at=at)
