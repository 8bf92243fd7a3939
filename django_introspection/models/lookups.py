"""Look-ups that run with every request: written with the ORM, compiled once, run again with new parameters.

To compile a query takes several times longer than the database needs to answer it. A look-up is compiled once per
database in a process, and its row becomes instances of the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.core.signals import setting_changed
from django.db import connections, models, router
from django.db.models.base import ModelState

from .client import Client
from .client_secret import ClientSecret
from .token import Token

M = TypeVar("M", bound=models.Model)
N = TypeVar("N", bound=models.Model)
Converter = Callable[[Any, Any, Any], Any]
"""Takes a value, the expression of its column and the connection; returns the converted value."""


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    parameters: tuple[Any, ...]
    places: tuple[int, ...]
    """The index of the parameter where each value belongs."""
    converters: tuple[tuple[int, Converter, Any], ...]
    """Index of a column, a converter of its value, and the expression of the column; the next one may follow."""

    def fetch(self, connection: Any, values: Sequence[Any]) -> list[Any] | None:
        """Return the first row for some values, None if there is none; raises django.db.Error."""
        parameters = list(self.parameters)
        for place, value in zip(self.places, values, strict=True):
            parameters[place] = value
        with connection.cursor() as cursor:
            cursor.execute(self.sql, parameters)
            row = cursor.fetchone()
        if row is None:
            return None
        converted = list(row)
        for index, converter, expression in self.converters:
            converted[index] = converter(converted[index], expression, connection)
        return converted

    def followed_by(self, other: _Statement, width: int) -> _Statement:
        """Return the statement that also runs another one if this one, of so many columns, finds a row.

        A condition that names no table keeps PostgreSQL from joining the other one before this one is complete.
        """
        return _Statement(
            f"SELECT * FROM ({self.sql}) a LEFT JOIN ({other.sql}) b ON 1 = 1",  # noqa: S608 - compiled by the ORM
            self.parameters + other.parameters,
            self.places + tuple(place + len(self.parameters) for place in other.places),
            self.converters + tuple((index + width, *rest) for index, *rest in other.converters),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one model in a row; `relation` is the foreign key that names it, None for the first model."""

    relation: Any
    model: type[models.Model]
    names: tuple[str, ...]
    start: int
    key: int
    """Index of the primary key among the columns."""

    def build(self, using: str, row: Sequence[Any]) -> models.Model | None:
        """Return the instance, None if the foreign key is null."""
        values = row[self.start : self.start + len(self.names)]
        if values[self.key] is None:
            return None
        if self.model not in _OURS:
            return self.model.from_db(using, self.names, values)
        return _instance(self.model, using, self.names, values)

    @property
    def paths(self) -> list[str]:
        """The columns as the model of the look-up names them."""
        return [f"{self.relation.name}__{name}" for name in self.names] if self.relation else list(self.names)


_OURS = frozenset({Client, ClientSecret, Token})


def _instance(model: type[models.Model], using: str, names: Sequence[str], values: Sequence[Any]) -> models.Model:
    """Return what `from_db` returns, in a third of the time: no `__init__` of ours and no signal of it is missed.

    A column that was not read is fetched when it is used, as after `QuerySet.only`.
    """
    instance = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, using
    vars(instance).update(zip(names, values, strict=True), _state=state)
    return instance


class KeptLookup(Generic[M]):
    """Find the one row of a model whose `fields` have some values, with the rows that foreign keys of it name.

    `fields` are the names of fields, each with a value of its type that stands in for the values to come, or with a
    list of different ones for a look-up such as `digest__in`. `relations` are the names of foreign keys, each with the
    columns that are read of its row; `columns` are those of the model itself. None stands for every column, so that
    nothing is read later from another database.
    """

    def __init__(
        self,
        model: type[M],
        fields: Mapping[str, Any],
        relations: Mapping[str, Sequence[str] | None],
        columns: Sequence[str] | None = None,
    ) -> None:
        self._model, self._fields = model, fields
        self._parts = tuple(_parts(model, {"": columns, **relations}))
        self.width = sum(len(part.names) for part in self._parts)
        self._statements: dict[str, _Statement] = {}

    @property
    def database(self) -> str:
        """The alias of the database that decides."""
        return router.db_for_write(self._model)

    def get(self, *values: Any) -> M | None:
        """Return the row for the values of `fields`, as the primary database has it; raises django.db.Error."""
        using = self.database
        statement = self._statements.get(using) or self._statements.setdefault(using, self.compile(using))
        row = statement.fetch(connections[using], values)
        return None if row is None else self.build(using, row)

    def build(self, using: str, row: Sequence[Any]) -> M | None:
        """Return the instance of a row, None if a join found none."""
        found: Any = self._parts[0].build(using, row)
        if found is not None:
            for part in self._parts[1:]:
                part.relation.set_cached_value(found, part.build(using, row))
        return found  # type: ignore[no-any-return]  # an instance of the model that the first part builds

    def compile(self, using: str) -> _Statement:
        """Return the statement for a database, with a name for each column."""
        paths = [path for part in self._parts for path in part.paths]
        rows = self._model._base_manager.using(using).filter(**self._fields).values_list(*paths)
        compiler = rows.query.get_compiler(using)
        sql, parameters = compiler.as_sql(with_col_aliases=True)
        columns = [expression for expression, *_ in compiler.select[: compiler.col_count]]
        stand_ins = [
            each for value in self._fields.values() for each in (value if isinstance(value, list) else [value])
        ]
        return _Statement(
            sql,
            tuple(parameters),
            tuple(_index_of(value, parameters) for value in stand_ins),
            tuple(
                (index, _for_any_connection(converter, connections[using]), expression)
                for index, (converters, expression) in compiler.get_converters(columns).items()
                for converter in converters
            ),
        )


class KeptPair(Generic[M, N]):
    """Make a look-up, and another one if the first finds its row, in one statement."""

    def __init__(self, first: KeptLookup[M], second: KeptLookup[N]) -> None:
        self._first, self._second = first, second
        self._statements: dict[str, _Statement] = {}

    def get(self, first: Sequence[Any], second: Sequence[Any]) -> tuple[M | None, N | None]:
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

    def _compile(self, using: str) -> _Statement:
        return self._first.compile(using).followed_by(self._second.compile(using), self._first.width)


def _parts(model: type[models.Model], columns: Mapping[str, Sequence[str] | None]) -> Iterator[_Part]:
    start = 0
    for name, chosen in columns.items():
        relation: Any = model._meta.get_field(name) if name else None
        of = relation.related_model if relation else model
        names = tuple(chosen or (field.attname for field in of._meta.concrete_fields))
        yield _Part(relation, of, names, start, names.index(of._meta.pk.attname))
        start += len(names)


def _index_of(value: Any, parameters: Sequence[Any]) -> int:
    """Return the index of the one parameter that a value has become; drivers wrap bytes in types of their own."""
    (index,) = (index for index, parameter in enumerate(parameters) if getattr(parameter, "obj", parameter) == value)
    return index


def _for_any_connection(converter: Converter, connection: Any) -> Converter:
    """Return a converter that keeps no connection: each thread has its own, which must go with the thread."""
    if getattr(converter, "__self__", None) is not connection.ops:
        return converter
    name = converter.__name__
    return lambda value, expression, own: getattr(own.ops, name)(value, expression, own)


_STAND_IN_DIGEST, _OTHER_DIGEST = b"\0" * 32, b"\1" * 32
_STAND_IN_ID = "stand-in"

_OF_A_TOKEN = (
    *("id", "client_id", "user_id", "kind", "scope", "audience", "members"),
    *("issued_at", "not_before", "expires_at", "revoked_at"),
)
"""The columns from which an answer is made."""
_OF_ITS_CLIENT = ("id", "client_id", "is_active")
_OF_A_CALLER = (
    *("id", "client_id", "client_name", "is_active", "token_endpoint_auth_method", "introspection_policy"),
    *("resources", "resource_scopes", "filter_scope", "visible_members", "introspection_signed_response_alg"),
)
"""The columns that authenticate a caller and decide what it may see; the name is for the functions of a project."""
_OF_A_SECRET = ("id", "client_id", "expires_at", "last_used_at")


@cache
def tokens_by_digest() -> KeptLookup[Token]:
    """Return the look-up of a token by its digest, with its client and its user."""
    return KeptLookup(Token, {"digest": _STAND_IN_DIGEST}, {"client": None, "user": None})


@cache
def answers_by_digest() -> KeptLookup[Token]:
    """Return the same look-up with the columns that an answer needs, and every column of the user."""
    return KeptLookup(Token, {"digest": _STAND_IN_DIGEST}, {"client": _OF_ITS_CLIENT, "user": None}, _OF_A_TOKEN)


@cache
def secrets_by_client() -> KeptLookup[ClientSecret]:
    """Return the look-up of a secret by the identifier of its client and one of two digests, with the client.

    One statement, so that an unknown client and a wrong secret are the same work.
    """
    return KeptLookup(ClientSecret, _secret(), {"client": None})


@cache
def callers_with_answers() -> KeptPair[ClientSecret, Token]:
    """Return both look-ups of an introspection in one: the secret of the caller, and the token if the secret is right.

    The token is not looked for before, so that nobody without a secret can measure whether it exists.
    """
    return KeptPair(KeptLookup(ClientSecret, _secret(), {"client": _OF_A_CALLER}, _OF_A_SECRET), answers_by_digest())


@cache
def whole_rows_by(model: type[models.Model], field: str, *relations: str) -> KeptLookup[Any] | None:
    """Return the look-up of a row of another package by a field of text, with every column of it and of its relations.

    Return None if a manager of the model is not Django's own: what such a manager finds may change with each request.
    """
    if {type(model._default_manager), type(model._base_manager)} != {models.Manager}:
        return None
    return KeptLookup(model, {field: _STAND_IN_ID}, dict.fromkeys(relations))


def _secret() -> Mapping[str, Any]:
    return {"client__client_id": _STAND_IN_ID, "digest__in": [_STAND_IN_DIGEST, _OTHER_DIGEST]}


_LOOKUPS = (tokens_by_digest, answers_by_digest, secrets_by_client, callers_with_answers, whole_rows_by)


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting in ("AUTH_USER_MODEL", "DATABASES", "DATABASE_ROUTERS"):
        for lookup in _LOOKUPS:
            lookup.cache_clear()


setting_changed.connect(_settings_changed)
