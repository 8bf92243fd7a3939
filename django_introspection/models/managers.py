"""How rows are made and found. A decision always reads the primary database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, router

if TYPE_CHECKING:  # ruff does not see the names in the bases
    from ..authorization_server.issuing import IssuedToken, Registration
    from .client import Client
    from .token import Token


class ClientManager(models.Manager["Client"]):
    """Registered clients."""

    def register(self, **metadata: Any) -> Registration:
        """Register a client and make its first secret.

        Returns `(client, secret)`; the secret exists in the clear nowhere else, and is None for a client that
        authenticates by other means. See
        `authorization_server.issuing.register` for the arguments and errors.
        """
        from ..authorization_server.issuing import register

        return register(**metadata)

    def with_id(self, client_id: str) -> models.QuerySet[Client]:
        """Return the one client with this identifier, as the primary database has it."""
        return self.using(router.db_for_write(self.model)).filter(client_id=client_id)


class TokenManager(models.Manager["Token"]):
    """Tokens of both kinds."""

    def issue(self, **grant: Any) -> IssuedToken:
        """Issue an access token, and with `refresh=True` a refresh token beside it.

        The values exist in the clear only in what is returned. See `authorization_server.issuing.issue` for
        the arguments and errors.
        """
        from ..authorization_server.issuing import issue

        return issue(**grant)

    def on_primary(self) -> models.QuerySet[Token]:
        """Return the tokens as the primary database has them."""
        return self.using(router.db_for_write(self.model))
