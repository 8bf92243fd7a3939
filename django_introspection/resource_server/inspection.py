"""The verdict on a token without a request, for an operator: that of a view, and it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import Error as DatabaseError
from django.db import connections, router, transaction
from django.http import HttpRequest

from ..backends.inspecting import inspecting
from ..backends.registry import token_backends
from ..protocol.answer import Inactive, Reason
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.explanation import insufficient_scope
from .acceptance import Identity, Trace, Verdict, authenticate_token


@conceal_locals
def inspect_token(token: str, alias: str, *, scopes: Iterable[str] = (), trace: Trace) -> Identity | Inactive:
    """Return the verdict on a bearer token of a GET request to a view that asks this backend and needs these scopes.

    The resolver of users is called as well, and its changes to the database of the users are undone. Raises
    IntrospectionUnavailable, or InvalidSetting for a backend or resolver that cannot be made.
    """
    with _undone(), inspecting():
        found = _authenticate(token, alias, trace)
    if isinstance(found, Inactive) or found.info.scopes.issuperset(scopes):
        return found
    return insufficient_scope(found.info, scopes)


def _authenticate(token: str, alias: str, trace: Trace) -> Identity | Inactive:
    try:
        return authenticate_token(token, alias, _request(), trace=trace)
    except PermissionDenied:  # of a resolver: the view answers 403
        refused = Inactive(Reason.USER_REFUSED)
        trace.append(Verdict(None, trace[-1].answer, refused))
        return refused


def _request() -> HttpRequest:
    request = HttpRequest()
    request.method = "GET"
    request.path = request.path_info = "/"
    request.META = {"REQUEST_METHOD": "GET", "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    return request


@contextmanager
def _undone() -> Iterator[None]:
    """Undo changes to the database of the users, if there are resolvers that could make some."""
    has_resolvers = any(backend.user_resolver or backend.looks_up_issuers for backend in token_backends.made())
    using = _database_of_users() if has_resolvers else None
    if using is None:
        yield
        return
    try:
        with transaction.atomic(using=using):
            yield
            transaction.set_rollback(True, using=using)
    except DatabaseError as error:
        raise IntrospectionUnavailable(f"the database of the users does not answer: {type(error).__name__}") from error


def _database_of_users() -> str | None:
    try:
        using = router.db_for_write(get_user_model())
    except ImproperlyConfigured:  # no table of users
        return None
    return None if connections[using].settings_dict["ENGINE"] == "django.db.backends.dummy" else using
