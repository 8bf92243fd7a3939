"""The tables of this package's apps, and the tables to which they refer: their statements read both together."""

from __future__ import annotations

from collections.abc import Container, Iterator

from django.apps import apps
from django.db import connections
from django.db.models import Model

PACKAGE = "django_introspection"


def own_models() -> Iterator[type[Model]]:
    """Yield the models of the apps of this package that are installed."""
    for app in apps.get_app_configs():
        if app.name.partition(".")[0] == PACKAGE:
            yield from app.get_models()


def related_models(model: type[Model]) -> set[type[Model]]:
    """Return the models to which the rows of a model refer."""
    found = (field.related_model for field in model._meta.concrete_fields)
    return {other for other in found if isinstance(other, type)}


def missing_tables(alias: str, labels: Container[str]) -> list[str]:
    """Return the tables that the apps with these labels need and a database does not have; raises DatabaseError."""
    models = {model for model in own_models() if model._meta.app_label in labels}
    needed = {each._meta.db_table for each in models.union(*map(related_models, models))}
    there = {name.casefold() for name in connections[alias].introspection.table_names(include_views=True)}
    # a name in quotes has a schema, which the names of the database lack
    return sorted(name for name in needed if name.casefold() not in there and '"' not in name)
