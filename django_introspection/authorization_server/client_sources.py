"""The sources of clients that may call our endpoints: those of CLIENT_SOURCES, asked one after the other.

A client of another package has no row of its own here. CLIENT_POLICY decides what it may introspect, or the row of
`Client` with its `client_id` and the authentication method `elsewhere`. That row is never a way to authenticate.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from inspect import isabstract
from typing import Any, TypeVar

from django.core.checks import CheckMessage
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest
from django.utils.module_loading import import_string

from ..conf import introspection_settings
from ..exceptions import InvalidSetting
from ..models import AuthMethod, Client
from ..protocol.answer import Answer, Inactive, Reason
from ..protocol.certificate import Certificate
from ..protocol.credentials import AssertionCredentials, SecretCredentials
from ..protocol.identifiers import is_client_id
from ..setting_values import NAME


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a source authenticates no client; `reason` is for the log only."""

    reason: str
    is_unknown: bool = False
    """Whether the source does not know the client. Such a source has only looked it up, and must do the rest of the
    work that a wrong secret costs in `verify_dummy_secret`."""


UNKNOWN_CLIENT = Rejection("unknown client or wrong secret", is_unknown=True)
CLIENT_INACTIVE = Rejection("client inactive")

ClientResult = Client | Rejection

_Row = TypeVar("_Row", bound=Model)
_POLICY = "introspection_client"
_JSON = ("resources", "visible_members", "jwks")
_COPIED = (
    "client_id",
    "is_active",
    "token_endpoint_auth_method",
    "introspection_policy",
    "resource_scopes",
    "filter_scope",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
    "source_key",
    *_JSON,
)


class ClientSource(ABC):
    """A source of clients, which authenticates them. There is one instance per process, shared by threads.

    The client that it finds is a row of `Client`, or an unsaved one from `client_with_policy`.
    """

    @abstractmethod
    def by_secret(self, request: HttpRequest, credentials: SecretCredentials) -> ClientResult:
        """Find the client of a secret; raises OAuthError if it cannot be found now."""

    @abstractmethod
    def by_id(self, client_id: str) -> ClientResult:
        """Find the client that calls with this identifier once it is authenticated: for the question of an operator.

        Raises DatabaseError or IntrospectionUnavailable.
        """

    def key_of(self, client_id: str) -> str | None:
        """Return the key of the existing client with this identifier, None if there is none.

        No later client with the same identifier has the same key, so that none inherits the policy of another client.
        """
        return None

    def by_assertion(self, credentials: AssertionCredentials) -> ClientResult:
        """Find the client that signed an assertion."""
        return UNKNOWN_CLIENT

    def by_certificate(self, client_id: str, certificate: Certificate) -> ClientResult:
        """Find the client with this identifier, if the certificate of the connection is its own."""
        return UNKNOWN_CLIENT

    def by_token(self, token: str) -> tuple[Client | None, Answer]:
        """Find the client to which an access token was issued, and the answer about the token."""
        return None, Inactive(Reason.UNKNOWN)

    def verify_dummy_secret(self, request: HttpRequest, credentials: SecretCredentials) -> None:
        """Do the work of a wrong secret that looking for an unknown client leaves out, so that both take as long."""

    def check(self) -> list[CheckMessage]:
        """Return the messages of the system checks about this source."""
        return []


def client_sources() -> list[ClientSource]:
    """Return the sources of CLIENT_SOURCES in their order; raises InvalidSetting."""
    return [_source(number, path) for number, path in enumerate(introspection_settings.CLIENT_SOURCES)]


def client_by_id(client_id: str) -> ClientResult:
    """Return the client that the endpoints would accept with this identifier and valid credentials.

    Raises DatabaseError or IntrospectionUnavailable.
    """
    if not is_client_id(client_id):
        return UNKNOWN_CLIENT
    return first_known(source.by_id(client_id) for source in client_sources())


def first_known(results: Iterable[ClientResult]) -> ClientResult:
    """Return the client of the first source that has one, otherwise the first rejection of a known client."""
    rejections = []
    for result in results:
        if isinstance(result, Client):
            return result
        rejections.append(result)
    return next((rejection for rejection in rejections if not rejection.is_unknown), UNKNOWN_CLIENT)


def source_key(client_id: str) -> str | None:
    """Return the key of the client of another source with an identifier, None if no source has one."""
    return next((key for source in client_sources() if (key := source.key_of(client_id)) is not None), None)


def orphaned_policies(rows: Iterable[Client]) -> Iterator[tuple[Client, str]]:
    """Yield each policy row whose client is gone or is another one, with the problem."""
    for row in rows:
        key = source_key(row.client_id)
        if key is None:
            yield row, "no source has a client with this identifier"
        elif key != row.source_key:
            yield row, "it was made for another client with this identifier"


@lru_cache
def _source(number: int, path: str) -> ClientSource:
    place = f"{NAME}['CLIENT_SOURCES'][{number}]"
    try:
        source_class = import_string(path)
    except Exception as error:  # whatever a module raises on import, it is this setting that is wrong
        raise InvalidSetting(f"{place} cannot be imported ({type(error).__name__}).") from error
    if not (isinstance(source_class, type) and issubclass(source_class, ClientSource)) or isabstract(source_class):
        raise InvalidSetting(f"{place} must be the dotted path of a ClientSource.")
    return source_class()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_source.cache_clear)  # a lock may be held by no one


def with_policy(rows: QuerySet[_Row], client_id: str) -> QuerySet[_Row]:
    """Let rows of another package bring the policy of the client that a field of theirs names, in one statement."""
    annotated: QuerySet[_Row] = rows.annotate(**{_POLICY: _policy_of(client_id)})
    return annotated


@lru_cache
def _policy_of(client_id: str) -> Subquery:
    ours = Client.objects.filter(client_id=OuterRef(client_id))
    return Subquery(ours.values(policy=JSONObject(**{name: name for name in _COPIED}))[:1])


def client_with_policy(row: Any, client_id: str, key: str) -> ClientResult:
    """Return the client of a row that `with_policy` fetched; `key` is what `ClientSource.key_of` returns for it.

    Reject the client if our admin has made it inactive, or if its identifier is that of a client of this app or of an
    earlier client: a person who may choose an identifier must not gain the rights of a client of the same name.
    """
    policy = getattr(row, _POLICY)
    if policy is None or policy["client_id"] != client_id:  # a collation may see fewer differences than we do
        return Client(client_id=client_id, introspection_policy=introspection_settings.CLIENT_POLICY)
    if policy["token_endpoint_auth_method"] != AuthMethod.ELSEWHERE:
        return Rejection("the client_id is that of a client of this app")
    if policy["source_key"] != key:
        return Rejection("the policy of this client_id was made for another client")
    if not policy["is_active"]:
        return CLIENT_INACTIVE
    return Client(**policy | {name: _plain(policy[name]) for name in _JSON})


def _plain(value: Any) -> Any:
    """Return the value of a JSON column: some databases put its text into an object."""
    return json.loads(value) if isinstance(value, str) else value
