"""The live grants of a user, as the list shows them. Neither tokens nor digests are read.

A grant lives as long as a token of it is active: its refresh token or an access token. The tokens that other clients
got in exchange for its access tokens (RFC 8693) share it and end with it, so they are no grants of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone

from ..conf import introspection_settings
from ..models import Client, Token, TokenKind
from ..models.fields import made_at, now
from ..protocol.authorization_details import MEMBER

if TYPE_CHECKING:  # generic for the type checker alone
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

PAGE_SIZE = 20
"""Grants on one page of the list."""


@dataclass(frozen=True, slots=True)
class App:
    """A client with access to the account of a user, and the number of its live grants."""

    pk: int
    client_id: str
    name: str
    grant_count: int


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a grant: scopes, the names of resources, and the types of authorization details."""

    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """A live grant, with moments in the current time zone.

    `starts_at` is a moment to come or None, `renewed_at` the last refresh or None. The grant ends at `expires_at`; if
    it `is_renewable`, a refresh can delay the end until `ends_at`. `passed_on_to` are the names of the clients that
    exchanged an access token of it.
    """

    id: UUID
    app: App
    rights: Rights
    issued_at: datetime
    starts_at: datetime | None
    renewed_at: datetime | None
    is_renewable: bool
    expires_at: datetime
    ends_at: datetime
    passed_on_to: tuple[str, ...]


class GrantPages(_Paginator):
    """The pages of a list of grants, counted before."""

    def __init__(self, rows: Any, counts: Mapping[int, int]) -> None:
        super().__init__(rows, PAGE_SIZE)
        self.app_count, self._count = len(counts), sum(counts.values())

    @property
    def count(self) -> int:
        """The number of live grants."""
        return self._count


class UserGrants:
    """The grants of a user, as the primary database has them. Those of other users do not exist here."""

    def __init__(self, user: Any) -> None:
        self._tokens = Token.objects.on_primary().filter(user=user)
        self._live = self._tokens.filter(revoked_at=None, expires_at__gt=now(), client__is_active=True)

    def has_had(self, grant_id: UUID) -> bool:
        """Return whether a token of this grant is stored, be it live or not."""
        return self._tokens.filter(grant_id=grant_id).exists()

    def client(self, pk: int) -> Client | None:
        """Return the client of a grant, be it live or not; None for any other client."""
        token = _own(self._tokens).filter(client__id=pk).select_related("client").only("client").first()
        return None if token is None else token.client

    def find(self, grant_id: UUID) -> Grant | None:
        """Return a grant, None if it is not live."""
        return next(iter(self._read(self._rows().filter(grant_id=grant_id), self.counts())), None)

    def counts(self) -> dict[int, int]:
        """Return the number of live grants of each client that has any, by its primary key."""
        return dict(_own(self._live).order_by().values_list("client").annotate(Count("grant_id", distinct=True)))

    def page(self, number: Any) -> Page[Grant]:
        """Return a page of the live grants: by the name of the app, and the newest first.

        A number that is too large is the last page, anything but a number the first.
        """
        counts = self.counts()
        rows = self._rows().order_by("client__client_name", "client_id", "-grant_id")
        page = GrantPages(rows, counts).get_page(number)
        page.object_list = self._read(page.object_list, counts)
        return page

    def _rows(self) -> QuerySet[Token, Any]:
        """Return one row for each live grant."""
        grants = _own(self._live).values("grant_id", "client_id", "client__client_id", "client__client_name")
        return grants.annotate(
            first=Min("issued_at"),
            starts=Max("not_before"),
            renewed=Max("issued_at", filter=Q(predecessor__isnull=False)),
            refresh_tokens=Count("pk", filter=Q(kind=TokenKind.REFRESH)),
            expires=Max("expires_at"),
            ends=Max("grant_expires_at"),
        )

    def _read(self, rows: Iterable[dict[str, Any]], counts: Mapping[int, int]) -> list[Grant]:
        """Complete the rows of grants by two more statements, however many they are."""
        rows = list(rows)
        if not rows:
            return []
        rights, passed_on = self._rights(rows), self._passed_on([row["grant_id"] for row in rows])
        return [_grant(row, counts, rights.get(row["grant_id"], []), passed_on) for row in rows]

    def _rights(self, rows: list[dict[str, Any]]) -> dict[UUID, list[tuple[Any, ...]]]:
        """Return scope, audience and members of the tokens that show what each grant allows.

        A refresh token has the whole of its grant, an access token perhaps a part of it.
        """
        renewable = [row["grant_id"] for row in rows if row["refresh_tokens"]]
        others = [row["grant_id"] for row in rows if not row["refresh_tokens"]]
        shown = _own(self._live).filter(Q(grant_id__in=renewable, kind=TokenKind.REFRESH) | Q(grant_id__in=others))
        found: dict[UUID, list[tuple[Any, ...]]] = {}
        for grant_id, *rights in shown.order_by("pk").values_list("grant_id", "scope", "audience", "members"):
            found.setdefault(grant_id, []).append(tuple(rights))
        return found

    def _passed_on(self, grant_ids: list[UUID]) -> dict[UUID, list[str]]:
        """Return the names of the clients that have a live token in exchange for one of each grant."""
        exchanged = self._live.filter(grant_id__in=grant_ids, predecessor__kind=TokenKind.ACCESS)
        names = exchanged.order_by("client__client_name").values_list("grant_id", "client__client_name").distinct()
        found: dict[UUID, list[str]] = {}
        for grant_id, name in names:
            found.setdefault(grant_id, []).append(name)
        return found


def _own(tokens: QuerySet[Token]) -> QuerySet[Token]:
    """Return the tokens that were not issued in exchange for an access token (RFC 8693)."""
    return tokens.exclude(predecessor__kind=TokenKind.ACCESS)


def _grant(
    row: dict[str, Any], counts: Mapping[int, int], rights: list[tuple[Any, ...]], passed_on: Mapping[UUID, list[str]]
) -> Grant:
    grant_id, client, starts, expires = row["grant_id"], row["client_id"], row["starts"], row["expires"]
    app = App(client, row["client__client_id"], row["client__client_name"], counts.get(client, 1))
    made = made_at(grant_id)  # the first tokens of an old grant are deleted by now
    return Grant(
        id=grant_id,
        app=app,
        rights=_all_of(rights),
        issued_at=timezone.localtime(row["first"] if made is None else datetime.fromtimestamp(made, UTC)),
        starts_at=timezone.localtime(starts) if starts is not None and starts > now() else None,
        renewed_at=None if row["renewed"] is None else timezone.localtime(row["renewed"]),
        is_renewable=row["refresh_tokens"] > 0,
        expires_at=timezone.localtime(expires),
        ends_at=timezone.localtime(max(expires, row["ends"] or expires)),
        passed_on_to=tuple(passed_on.get(grant_id, ())),
    )


def _all_of(rights: list[tuple[Any, ...]]) -> Rights:
    scopes: dict[str, None] = {}
    resources: dict[str, None] = {}
    details: dict[str, None] = {}
    for scope, audience, members in rights:
        scopes.update(dict.fromkeys(scope.split()))
        resources.update(dict.fromkeys(map(_resource_name, audience)))
        details.update(dict.fromkeys(detail["type"] for detail in members.get(MEMBER, ())))
    return Rights(tuple(scopes), tuple(resources), tuple(details))


def _resource_name(identifier: str) -> str:
    """Return the name that RESOURCES gives a resource, else its identifier."""
    declared = introspection_settings.RESOURCES.get(identifier)
    return declared.name if declared and declared.name else identifier
