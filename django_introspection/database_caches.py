"""Calls to a cache that is a table: Django's database cache uses the connection of the request.

Under ATOMIC_REQUESTS, or within `atomic()`, two things would follow from that. A call that fails would leave a
transaction of PostgreSQL in which no further statement runs, so it is made within a savepoint. And an error in the
request would undo what was written, so a call whose effect must last is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from django.core.cache import BaseCache
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import Error as DatabaseError
from django.db import connections, router, transaction

T = TypeVar("T")


class InTransaction(Exception):
    """A call whose effect must last would be part of a transaction that is open."""


def call_cache(cache: BaseCache, work: Callable[[BaseCache], T]) -> T:
    """Let a function make its calls to any cache, and return its result; raises whatever the cache raises."""
    return call_database_cache(cache, work) if isinstance(cache, BaseDatabaseCache) else work(cache)


def call_database_cache(cache: Any, work: Callable[[BaseCache], T], *, must_last: bool = False) -> T:
    """Let a function make its calls to a database cache, and return its result; raises whatever the cache raises.

    `must_last` says that an error in the request must not undo the calls; raises InTransaction if it could.
    """
    written = database_of(cache)
    if must_last and connections[written].in_atomic_block:
        _refuse_transaction(written)
    with savepoints(written, router.db_for_read(cache.cache_model_class)):
        return work(cache)


@contextmanager
def savepoints(*databases: str) -> Iterator[None]:
    """Keep the open transactions of databases usable if a statement within fails; costs nothing without one."""
    with ExitStack() as made:
        for database in set(databases):
            if connections[database].in_atomic_block:
                made.enter_context(transaction.atomic(using=database))
        yield


def database_of(cache: Any) -> str:
    """Return the alias of the database that a database cache writes to."""
    return str(router.db_for_write(cache.cache_model_class))


def is_table_missing(cache: Any) -> bool:
    """Return whether a database cache has no table, False if its database does not answer."""
    connection = connections[database_of(cache)]
    try:
        return cache.cache_model_class._meta.db_table not in connection.introspection.table_names()
    except DatabaseError:
        return False


def _refuse_transaction(database: str) -> None:
    """Raise InTransaction, unless the transaction is that of a TestCase."""
    try:
        with transaction.atomic(using=database, durable=True):
            pass
    except RuntimeError:
        raise InTransaction("its database has an open transaction (ATOMIC_REQUESTS or atomic())") from None
