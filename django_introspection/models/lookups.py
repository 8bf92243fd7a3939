"""Look-ups that run with every request: written with the ORM, compiled once, run again with new parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from django.core.signals import setting_changed
from django.db import connections, models, router

from .client_secret import ClientSecret
from .row_shapes import Instances, Records, Shape
from .statements import Statement, compile_statement
from .token import Token
from .token_record import TokenRecord

T = TypeVar("T")
U = TypeVar("U")


class KeptLookup(Generic[T]):
    """Find the one row of a model whose `fields` have some values.

    `fields` are the names of fields, each with a value of its type that stands in for the values to come, or with a
    list of different ones for a look-up such as `digest__in`.
    """

    def __init__(self, model: type[models.Model], fields: Mapping[str, Any], shape: Shape[T]) -> None:
        self._model, self._fields, self._shape = model, fields, shape
        self.width, self.build = len(shape.paths), shape.build
        self._statements: dict[str, Statement] = {}

    @property
    def database(self) -> str:
        """The alias of the database that decides."""
        return router.db_for_write(self._model)

    def get(self, *values: Any) -> T | None:
        """Return the row for the values of `fields`, as the primary database has it; raises django.db.Error."""
        using = self.database
        statement = self._statements.get(using) or self._statements.setdefault(using, self.compile(using))
        row = statement.fetch(connections[using], values)
        return None if row is None else self.build(using, row)

    def compile(self, using: str, *, is_part: bool = False) -> Statement:
        """Return the statement for a database, or for a part of another statement."""
        rows = self._model._base_manager.using(using).filter(**self._fields).values_list(*self._shape.paths)
        stand_ins = [
            each for value in self._fields.values() for each in (value if isinstance(value, list) else [value])
        ]
        return compile_statement(rows, stand_ins, as_stored=self._shape.as_stored, is_part=is_part)


class KeptPair(Generic[T, U]):
    """Make a look-up, and another one if the first finds its row, in one statement."""

    def __init__(self, first: KeptLookup[T], second: KeptLookup[U]) -> None:
        self._first, self._second = first, second
        self._statements: dict[str, Statement] = {}

    def get(self, first: Sequence[Any], second: Sequence[Any]) -> tuple[T | None, U | None]:
        """Return the rows for the values of each look-up; raises django.db.Error.

        If the router keeps the tables in two databases, make two statements.
        """
        using = self._first.database
        if self._second.database != using:
            found = self._first.get(*first)
            return found, None if found is None else self._second.get(*second)
        statement = self._statements.get(using) or self._statements.setdefault(using, self._compile(using))
        row = statement.fetch(connections[using], [*first, *second])
        if row is None:
            return None, None
        return self._first.build(using, row), self._second.build(using, row[self._first.width :])

    def _compile(self, using: str) -> Statement:
        first, second = (part.compile(using, is_part=True) for part in (self._first, self._second))
        return first.followed_by(second, self._first.width)


_STAND_IN_DIGEST, _OTHER_DIGEST = b"\0" * 32, b"\1" * 32
_STAND_IN_ID = "stand-in"

_OF_A_CALLER = (
    *("id", "client_id", "client_name", "is_active", "token_endpoint_auth_method", "introspection_policy"),
    *(
        "resources",
        "resource_scopes",
        "filter_scope",
        "visible_members",
        "introspection_signed_response_alg",
        "introspection_encrypted_response_alg",
    ),
)
"""The columns that authenticate a caller and decide what it may see; the name is for the functions of a project."""
_OF_A_SECRET = ("id", "client_id", "expires_at", "last_used_at")


@cache
def tokens_by_digest() -> KeptLookup[Token]:
    """Return the look-up of a token by its digest, with its client and its user."""
    return KeptLookup(Token, {"digest": _STAND_IN_DIGEST}, Instances(Token, {"client": None, "user": None}))


@cache
def records_by_digest() -> KeptLookup[TokenRecord]:
    """Return the look-up of what an answer needs of a token by its digest."""
    return KeptLookup(Token, {"digest": _STAND_IN_DIGEST}, Records())


@cache
def secrets_by_client() -> KeptLookup[ClientSecret]:
    """Return the look-up of a secret by the identifier of its client and one of two digests, with the client.

    One statement, so that an unknown client and a wrong secret are the same work.
    """
    return KeptLookup(ClientSecret, _secret(), Instances(ClientSecret, {"client": None}))


@cache
def callers_with_records() -> KeptPair[ClientSecret, TokenRecord]:
    """Return both look-ups of an introspection in one: the secret of the caller, and the token if the secret is right.

    The token is not looked for before, so that nobody without a secret can measure whether it exists.
    """
    caller = Instances(ClientSecret, {"client": _OF_A_CALLER}, _OF_A_SECRET)
    return KeptPair(KeptLookup(ClientSecret, _secret(), caller), records_by_digest())


@cache
def whole_rows_by(model: type[models.Model], field: str, *relations: str) -> KeptLookup[Any] | None:
    """Return the look-up of a row of another package by a field of text, with every column of it and of its relations.

    Return None if a manager of the model is not Django's own: what such a manager finds may change with each request.
    """
    if {type(model._default_manager), type(model._base_manager)} != {models.Manager}:
        return None
    return KeptLookup(model, {field: _STAND_IN_ID}, Instances(model, dict.fromkeys(relations)))


def _secret() -> Mapping[str, Any]:
    return {"client__client_id": _STAND_IN_ID, "digest__in": [_STAND_IN_DIGEST, _OTHER_DIGEST]}


_LOOKUPS = (tokens_by_digest, records_by_digest, secrets_by_client, callers_with_records, whole_rows_by)


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting in ("AUTH_USER_MODEL", "DATABASES", "DATABASE_ROUTERS"):
        for lookup in _LOOKUPS:
            lookup.cache_clear()


setting_changed.connect(_settings_changed)
