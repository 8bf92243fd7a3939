"""Look-ups that run with every request: written with the ORM, compiled once, run again with new parameters.

To compile a query takes several times longer than the database needs to answer it. A look-up is compiled once per
database in a process; its row becomes the same instances of the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.core.signals import setting_changed
from django.db import connections, models, router

from .client_secret import ClientSecret
from .token import Token

M = TypeVar("M", bound=models.Model)
Converter = Callable[[Any, Any, Any], Any]
"""Takes a value, the expression of its column and the connection; returns the converted value."""


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    parameters: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]
    """Index of a parameter, index of the value that belongs there."""
    converters: tuple[tuple[int, tuple[Converter, ...], Any], ...]
    """Index of a column, the converters of its value, and the expression of the column."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The columns of one model in a row; `relation` is the foreign key that names it, None for the first model."""

    relation: Any
    model: type[models.Model]
    names: tuple[str, ...]
    start: int

    def build(self, using: str, row: Sequence[Any]) -> models.Model | None:
        """Return the instance, None if the foreign key is null."""
        values = row[self.start : self.start + len(self.names)]
        if values[self.names.index(self.model._meta.pk.attname)] is None:
            return None
        return self.model.from_db(using, self.names, values)

    @property
    def paths(self) -> list[str]:
        """The columns as the model of the look-up names them."""
        return [f"{self.relation.name}__{name}" for name in self.names] if self.relation else list(self.names)


class KeptLookup(Generic[M]):
    """Find the one row of a model whose `fields` have some values, with the rows that `relations` of it name.

    `fields` are the names of fields, each with a value of its type that stands in for the values to come, or with a
    list of different ones for a look-up such as `digest__in`; `relations` are the names of foreign keys. Every column
    is read, so that nothing is read later from another database.
    """

    def __init__(self, model: type[M], fields: Mapping[str, Any], relations: Sequence[str]) -> None:
        self._model, self._fields = model, fields
        self._parts = tuple(_parts(model, relations))
        self._statements: dict[str, _Statement] = {}

    def get(self, *values: Any) -> M | None:
        """Return the row for the values of `fields`, as the primary database has it; raises django.db.Error."""
        using = router.db_for_write(self._model)
        row = self._fetch(using, values)
        if row is None:
            return None
        found: Any = self._parts[0].build(using, row)
        for part in self._parts[1:]:
            part.relation.set_cached_value(found, part.build(using, row))
        return found  # type: ignore[no-any-return]  # an instance of the model that the first part builds

    def _fetch(self, using: str, values: Sequence[Any]) -> list[Any] | None:
        statement = self._statements.get(using) or self._statements.setdefault(using, self._compile(using))
        connection: Any = connections[using]
        parameters = list(statement.parameters)
        for index, place in statement.places:
            value = values[place]
            parameters[index] = connection.Database.Binary(value) if isinstance(value, bytes) else value
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, parameters)
            row = cursor.fetchone()
        if row is None:
            return None
        converted = list(row)
        for index, converters, expression in statement.converters:
            for converter in converters:
                converted[index] = converter(converted[index], expression, connection)
        return converted

    def _compile(self, using: str) -> _Statement:
        paths = [path for part in self._parts for path in part.paths]
        rows = self._model._base_manager.using(using).filter(**self._fields).values_list(*paths)
        compiler = rows.query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        columns = [expression for expression, *_ in compiler.select[: compiler.col_count]]
        stand_ins = [
            each for value in self._fields.values() for each in (value if isinstance(value, list) else [value])
        ]
        return _Statement(
            sql,
            tuple(parameters),
            tuple((_index_of(value, parameters), place) for place, value in enumerate(stand_ins)),
            tuple(
                (index, tuple(_for_any_connection(each, connections[using]) for each in converters), expression)
                for index, (converters, expression) in compiler.get_converters(columns).items()
            ),
        )


def _parts(model: type[models.Model], relations: Sequence[str]) -> Iterator[_Part]:
    start = 0
    for relation in (None, *map(model._meta.get_field, relations)):
        of: Any = relation.related_model if relation else model
        names = tuple(field.attname for field in of._meta.concrete_fields)
        yield _Part(relation, of, names, start)
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


@cache
def tokens_by_digest() -> KeptLookup[Token]:
    """Return the look-up of a token by its digest, with its client and its user."""
    return KeptLookup(Token, {"digest": _STAND_IN_DIGEST}, ("client", "user"))


@cache
def secrets_by_client() -> KeptLookup[ClientSecret]:
    """Return the look-up of a secret by the identifier of its client and one of two digests, with the client.

    One statement, so that an unknown client and a wrong secret are the same work.
    """
    digests = [_STAND_IN_DIGEST, _OTHER_DIGEST]
    return KeptLookup(ClientSecret, {"client__client_id": _STAND_IN_ID, "digest__in": digests}, ("client",))


def _settings_changed(*, setting: str, **_: Any) -> None:
    if setting in ("AUTH_USER_MODEL", "DATABASES", "DATABASE_ROUTERS"):
        tokens_by_digest.cache_clear()
        secrets_by_client.cache_clear()


setting_changed.connect(_settings_changed)
