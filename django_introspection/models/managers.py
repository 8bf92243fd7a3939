"""How rows are made and found. A decision always reads the primary database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, router

from .. import revocations
from ..protocol.error_reports import conceal_locals

if TYPE_CHECKING:  # ruff does not see the names in the bases
    from ..authorization_server.issuing import IssuedToken, Registration
    from .client import Client
    from .token import Token


class ClientManager(models.Manager["Client"]):
    """Registered clients."""

    @conceal_locals
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


class TokenQuerySet(models.QuerySet["Token"]):
    """Tokens of both kinds."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete tokens after writing their tombstones; raises IntrospectionUnavailable, and then none is deleted.

        What was exchanged for them is revoked.
        """
        from ..authorization_server.ending import delete_in_pages, end_exchanged

        if self.query.is_sliced:  # Django says what is wrong with it
            return super().delete()
        alias = self._db or router.db_for_write(self.model)  # type: ignore[attr-defined]  # not in the stubs
        end_exchanged(self.using(alias))
        if not revocations.are_ends_wanted():
            return super().delete()
        deleted: tuple[int, dict[str, int]] = delete_in_pages(self, models.QuerySet.delete)
        return deleted

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


if TYPE_CHECKING:
    _TokenManager = models.Manager["Token"]
else:
    _TokenManager = models.Manager.from_queryset(TokenQuerySet)


class TokenManager(_TokenManager):
    """Tokens of both kinds, whose tombstones are written before they are deleted."""

    @conceal_locals
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
