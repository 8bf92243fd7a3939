"""Look issuers up in the table of trusted issuers: one query in five seconds for all tokens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import Error as DatabaseError
from django.db import router

from ...backends.refreshed import Refreshed
from ...database_caches import savepoints
from ...protocol.errors import IntrospectionUnavailable
from .entry import entry_of

if TYPE_CHECKING:
    from .models import TrustedIssuer

APP = "introspection_issuers"


class IssuerTable:
    """The active rows of TrustedIssuer, read together and kept for five seconds in each process.

    So a token with a made-up issuer never costs a query of its own.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Refreshed[Mapping[str, TrustedIssuer]]] = {}

    def __call__(self, issuer: str) -> dict[str, Any] | None:
        """Return the configuration of an issuer, None if it is not trusted.

        Raises InvalidBackend if a secret cannot be read, and IntrospectionUnavailable if the table cannot be read.
        """
        row = self._table().get().get(issuer)
        return None if row is None else entry_of(row.backend, row.options, row.cache)

    def issuers(self) -> Iterator[str]:
        """Yield the trusted issuers; raises IntrospectionUnavailable."""
        return iter(sorted(self._table().get()))

    def forget(self) -> None:
        """Read the table anew at the next token."""
        self._table().forget()

    def problem(self) -> str | None:
        """Return why this cannot work in the project, None if it can."""
        if apps.is_installed("django_introspection.contrib.issuers"):
            return None
        return "needs 'django_introspection.contrib.issuers' in INSTALLED_APPS"

    def _table(self) -> Refreshed[Mapping[str, TrustedIssuer]]:
        """Return the rows of this process: a lock of the parent process may be held in a fork."""
        process = os.getpid()
        table = self._rows.get(process)
        if table is None:
            table = self._rows.setdefault(process, Refreshed(_read, may_stand_in=lambda rows: False))
        return table


def _read() -> Mapping[str, TrustedIssuer]:
    from .models import TrustedIssuer

    try:
        with savepoints(router.db_for_read(TrustedIssuer)):  # a known issuer may stand in, and the view goes on
            return {row.issuer: row for row in TrustedIssuer.objects.filter(is_active=True)}
    except DatabaseError as error:
        raise IntrospectionUnavailable(f"the table of trusted issuers cannot be read: {type(error).__name__}") from None
