"""The value that a look-up makes of its row: instances of models, or a record of plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.db import models
from django.db.models.base import ModelState

from .client import Client
from .client_secret import ClientSecret
from .fields import InstantField
from .token import Token
from .token_record import COLUMNS, TokenRecord

M = TypeVar("M", bound=models.Model)
T_co = TypeVar("T_co", covariant=True)


class Shape(Protocol[T_co]):
    """What a row of a look-up becomes."""

    @property
    def paths(self) -> Sequence[str]:
        """The columns as the model of the look-up names them."""

    @property
    def as_stored(self) -> tuple[type[models.Field[Any, Any]], ...]:
        """The types of fields whose values are not converted."""

    def build(self, using: str, row: Sequence[Any]) -> T_co | None:
        """Return what a row becomes, None if a join found no row."""


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


class Instances(Generic[M]):
    """An instance of a model with those that its foreign keys name.

    `relations` are the names of foreign keys, each with the columns that are read of its row; `columns` are those of
    the model itself. None stands for every column, so that nothing is read later from another database.
    """

    as_stored = ()

    def __init__(
        self, model: type[M], relations: Mapping[str, Sequence[str] | None], columns: Sequence[str] | None = None
    ) -> None:
        self._parts = tuple(_parts(model, {"": columns, **relations}))
        self.paths = [path for part in self._parts for path in part.paths]

    def build(self, using: str, row: Sequence[Any]) -> M | None:
        """Return the instance of a row, None if a join found none."""
        found: Any = self._parts[0].build(using, row)
        if found is not None:
            for part in self._parts[1:]:
                part.relation.set_cached_value(found, part.build(using, row))
        return found  # type: ignore[no-any-return]  # an instance of the model that the first part builds


class Records:
    """A TokenRecord, whose user is an instance with every column."""

    as_stored = (InstantField,)

    def __init__(self) -> None:
        (self._user,) = _parts(Token, {"user": None}, start=len(COLUMNS))
        self.paths = [*COLUMNS, *self._user.paths]

    def build(self, using: str, row: Sequence[Any]) -> TokenRecord | None:
        """Return the record of a row, None if a join found none."""
        if row[0] is None:
            return None
        return TokenRecord._make((*row[: len(COLUMNS)], self._user.build(using, row)))


def _parts(model: type[models.Model], columns: Mapping[str, Sequence[str] | None], start: int = 0) -> Iterator[_Part]:
    for name, chosen in columns.items():
        relation: Any = model._meta.get_field(name) if name else None
        of = relation.related_model if relation else model
        names = tuple(chosen or (field.attname for field in of._meta.concrete_fields))
        yield _Part(relation, of, names, start, names.index(of._meta.pk.attname))
        start += len(names)
