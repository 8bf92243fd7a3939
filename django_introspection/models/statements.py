"""Statements that are compiled once from a query of the ORM, and run with every request.

To compile a query takes several times longer than the database needs to answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Field, JSONField, QuerySet

Converter = Callable[[Any, Any, Any], Any]
"""Takes a value, the expression of its column and the connection; returns the converted value."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with the parameters of its look-up; those that change have a place."""

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

    def followed_by(self, other: Statement, width: int) -> Statement:
        """Return the statement that also runs another one if this one, of so many columns, finds a row.

        A condition that names no table keeps PostgreSQL from joining the other one before this one is complete.
        """
        return Statement(
            f"SELECT * FROM ({self.sql}) a LEFT JOIN ({other.sql}) b ON 1 = 1",  # noqa: S608 - compiled by the ORM
            self.parameters + other.parameters,
            self.places + tuple(place + len(self.parameters) for place in other.places),
            self.converters + tuple((index + width, *rest) for index, *rest in other.converters),
        )


def compile_statement(
    rows: QuerySet[Any, Any],
    stand_ins: Sequence[Any],
    *,
    as_stored: tuple[type[Field[Any, Any]], ...] = (),
    is_part: bool = False,
) -> Statement:
    """Return the statement of a query for its database.

    `stand_ins` are the parameters that change. The values of fields of the types `as_stored` are not converted. In a
    part of another statement, each column has a name of its own.
    """
    compiler = rows.query.get_compiler(rows.db)
    sql, parameters = compiler.as_sql(with_col_aliases=is_part)
    columns = [expression for expression, *_ in compiler.select[: compiler.col_count]]
    return Statement(
        sql,
        tuple(parameters),
        tuple(_index_of(value, parameters) for value in stand_ins),
        tuple(
            (index, _for_any_connection(_quicker(converter), connections[rows.db]), expression)
            for index, (converters, expression) in compiler.get_converters(columns).items()
            if not isinstance(expression.output_field, as_stored)
            for converter in converters
        ),
    )


def _index_of(value: Any, parameters: Sequence[Any]) -> int:
    """Return the index of the one parameter that a value has become; drivers wrap bytes in types of their own."""
    (index,) = (index for index, parameter in enumerate(parameters) if getattr(parameter, "obj", parameter) == value)
    return index


def _quicker(converter: Converter) -> Converter:
    """Return a converter that does the same: the lists and objects of most columns with JSON are empty."""
    field = getattr(converter, "__self__", None)
    return _read_json if type(field) is JSONField and field.decoder is None else converter


def _read_json(value: Any, expression: Any, connection: Any) -> Any:
    if value == "[]":
        return []
    return {} if value == "{}" else expression.output_field.from_db_value(value, expression, connection)


def _for_any_connection(converter: Converter, connection: Any) -> Converter:
    """Return a converter that keeps no connection: each thread has its own, which must go with the thread."""
    if getattr(converter, "__self__", None) is not connection.ops:
        return converter
    name = converter.__name__
    return lambda value, expression, own: getattr(own.ops, name)(value, expression, own)
