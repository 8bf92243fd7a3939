"""Settings by which the users of two servers could become one, as far as they show it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.core.checks import CheckMessage

from ..backends.base import TokenBackend
from ..backends.registry import token_backends
from ..check_messages import Messages, error, of_valid_settings
from ..exceptions import InvalidSetting
from ..setting_values import NAME
from .local_users import LocalUser
from .users import Resolver, resolver_of, resolver_place

ADDRESSES = ("introspection_url", "jwks_uri")
"""Attributes of a backend that say which server it asks; None for the one that its issuer names."""


class Source(NamedTuple):
    """A backend that answers, and the resolver of its users, with the place of the resolver in the settings."""

    backend: TokenBackend
    resolver: Resolver | None
    place: str


@of_valid_settings
def check_users(**_: object) -> Iterator[CheckMessage]:
    """Look for resolvers that cannot work (E012), and for users of several servers that could be taken for one."""
    backends = list(token_backends.made())
    usable = []
    for backend in backends:
        if problem := _resolver_problem(backend):
            yield error("E012", problem)
        else:
            usable.append(backend)
    sources = list(_sources(usable))
    yield from (*_one_issuer_two_servers(backends), *_users_without_issuer(sources), *_mixed_claims(sources))


def _resolver_problem(backend: TokenBackend) -> str | None:
    try:
        resolver = resolver_of(backend)
    except InvalidSetting as invalid:
        return str(invalid)
    problem = resolver.problem() if isinstance(resolver, LocalUser) else None
    return problem and f"{resolver_place(backend)}: {problem}."


def _sources(backends: Iterable[TokenBackend]) -> Iterator[Source]:
    """Yield each backend that answers with the resolver that its users get, its own or that of a router."""
    by_alias = {backend.alias: backend for backend in backends}
    for asked in by_alias.values():
        chosen = [by_alias[alias] for alias in asked.choices if alias in by_alias]
        for backend in [*chosen, *([asked] if asked.looks_up_issuers or not chosen else [])]:
            named = backend if resolver_of(backend) else asked
            yield Source(backend, resolver_of(named), resolver_place(named))


def _one_issuer_two_servers(backends: Iterable[TokenBackend]) -> Messages:
    """Look for two servers that answer for one issuer (E032): each could name the users of the other."""
    first: dict[tuple[str, str], TokenBackend] = {}
    messages: Messages = []
    by_alias = {backend.alias: backend for backend in backends}
    for backend in by_alias.values():
        for name in ADDRESSES:
            if backend.issuer is None or not hasattr(backend, name):
                continue
            other = first.setdefault((backend.issuer, name), backend)
            if getattr(other, name) != getattr(backend, name):
                place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS'][{name!r}]"
                messages.append(error("E032", f"{place} is not that of {other.alias!r}, which has the same issuer."))
        confirming = by_alias.get(backend.then_ask or "")
        if confirming and confirming.issuer not in (None, backend.issuer):
            place = f"{NAME}['BACKENDS'][{backend.alias!r}]['OPTIONS']['then_ask']"
            messages.append(error("E032", f"{place} names a backend of another issuer."))
    return messages


def _users_without_issuer(sources: Iterable[Source]) -> Messages:
    """Look for rows that would belong to an alias (E033): no setting names the issuer that names the users."""
    return [
        error("E033", f"{NAME}['BACKENDS'][{alias!r}]['OPTIONS']['issuer'] is not set, and {place} makes users.")
        for alias, place in dict.fromkeys(
            (backend.alias, place)
            for backend, resolver, place in sources
            if isinstance(resolver, LocalUser) and resolver.create != "never"
            if backend.is_remote and backend.issuer is None
        )
    ]


def _mixed_claims(sources: Iterable[Source]) -> Messages:
    """Look for a field that several issuers fill, one of them by a claim (E034): it can name a user of the others."""
    by_field: defaultdict[str, list[tuple[Source, LocalUser]]] = defaultdict(list)
    for source in sources:
        if isinstance(source.resolver, LocalUser):
            by_field[source.resolver.field].append((source, source.resolver))
    messages: Messages = []
    for field, mapped in by_field.items():
        by_claim = next((source for source, resolver in mapped if resolver.names_by_claim), None)
        issuers = {source.backend.identity_issuer: source.backend.alias for source, _ in mapped}
        if by_claim and (len(issuers) > 1 or any(source.backend.looks_up_issuers for source, _ in mapped)):
            aliases = ", ".join(map(repr, sorted(issuers.values())))
            messages.append(error("E034", f"{by_claim.place} maps a claim to {field!r}, which is filled by {aliases}."))
    return messages
