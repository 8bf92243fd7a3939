"""Tokens of several issuers: each is shown to one backend, and never to a second authorization server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from ..check_messages import warning
from ..conf import DATABASE_BACKEND as OWN_TABLES
from ..conf import introspection_settings
from ..protocol.answer import Answer
from ..protocol.error_reports import conceal_locals
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import claimed_issuer, has_jose_header
from ..protocol.opaque import ACCESS_TOKEN
from ..setting_values import NAME, did_you_mean
from .base import TokenBackend
from .diagnosis import Finding
from .issuers import Issuers, LookUpNeeded
from .options import Options
from .refreshed import TIMEOUT
from .registry import token_backends
from .route import aask_route, ask_route

MAX_ISSUERS = 500
"""Issuers whose backends are kept at a time, each with its connections and keys."""


class RoutingBackend(TokenBackend):
    """Choose the backend of a token: by the issuer that a JWT claims, by how an opaque token begins, or `default`.

    What a JWT claims chooses alone, and proves nothing. A JWT of an issuer that is not listed is shown to no server.
    If `issuers` is a function, it says which issuers are listed now.
    """

    is_remote = False  # it asks nobody itself
    is_router = True
    looked_up: Issuers | None = None
    """The issuers that a function finds, None if the settings name every issuer."""

    def configure(self, options: Options) -> None:
        """Take the aliases to choose from; raises InvalidBackend for those that cannot be chosen."""
        find = options.function("issuers")
        self.looks_up_issuers = find is not None
        if self.audience and find is None:
            raise options.invalid("audience", "must be set on the backends that are chosen from, not here")
        if find is not None:
            if problem := getattr(find, "problem", lambda: None)():
                raise options.invalid("issuers", problem)
            most = options.whole_number("max_issuers", MAX_ISSUERS)
            self._timeout = options.seconds("timeout", TIMEOUT)
            self.looked_up = Issuers(self.alias, find, audience=self.audience, most=most, timeout=self._timeout)
        self._issuers = options.aliases("issuers")
        prefixes = options.aliases("prefixes")
        self._prefixes = sorted(prefixes.items(), key=lambda item: len(item[0]), reverse=True)
        self._default = options.names("default")
        for name, aliases in (
            ("issuers", self._issuers.values()),
            ("prefixes", prefixes.values()),
            ("default", self._default),
        ):
            self._check_aliases(options, name, aliases)
        remote = [token_backends.kind(alias).is_remote for alias in self._default]
        if any(remote[:-1]):
            raise options.invalid("default", "must have at most one alias of a remote backend, as its last")
        self._local_default = tuple(
            alias for alias, is_remote in zip(self._default, remote, strict=True) if not is_remote
        )
        self.choices = tuple(dict.fromkeys([*self._issuers.values(), *prefixes.values(), *self._default]))
        if not self.choices and find is None:
            raise options.invalid("default", "is required, unless 'issuers' or 'prefixes' name backends")

    @conceal_locals
    def route(self, token: str) -> Sequence[TokenBackend]:
        """Return the backends that a token may be shown to, in order; none for a JWT of another issuer."""
        if self.looked_up is not None and has_jose_header(token):
            return self._chosen(self.looked_up.backend_of(claimed_issuer(token) or ""), token)
        return self._chosen(None, token)

    @conceal_locals
    async def aroute(self, token: str) -> Sequence[TokenBackend]:
        """Return like `route`, with a look-up off the event loop."""
        if self.looked_up is None:
            return self.route(token)
        if (known := self._route_from_memory(token)) is not None:
            return known
        try:
            async with asyncio.timeout(self._timeout):
                return await sync_to_async(self.route)(token)
        except TimeoutError:  # the thread that all tasks may share hangs
            failure = IntrospectionUnavailable(f"a look-up takes more than {self._timeout:g} s")
        backend = self.looked_up.backend_without_look_up(claimed_issuer(token) or "", failure)
        return self._chosen(backend, token)

    @conceal_locals
    def known_route(self, token: str) -> Sequence[TokenBackend]:
        """Return like `route`; empty if the issuer would be looked up."""
        return self._route_from_memory(token) or ()

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the backend of a token; raises IntrospectionUnavailable."""
        return ask_route(self, token, _unchanged).answer

    @conceal_locals
    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, without blocking the event loop."""
        return (await aask_route(self, token, _unchanged)).answer

    @conceal_locals
    def purge(self, token: str | None = None) -> None:
        """Forget what the backend of a token was answered, or what all of them were.

        Raises IntrospectionUnavailable if one of them fails, after the others have forgotten.
        """
        failures: list[IntrospectionUnavailable] = []
        for backend in self._all() if token is None else self.route(token):
            try:
                backend.purge(token)
            except IntrospectionUnavailable as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def forget_issuer(self, issuer: str | None = None) -> None:
        """Look up one issuer, or all of them, at the next token."""
        if self.looked_up is not None:
            self.looked_up.forget(issuer)

    def close(self) -> None:
        """Close the backends of issuers that were looked up; those of aliases are closed on their own."""
        if self.looked_up is not None:
            self.looked_up.close()

    @conceal_locals
    async def apurge(self, token: str | None = None) -> None:
        """Forget like `purge`, without blocking the event loop."""
        failures: list[IntrospectionUnavailable] = []
        for backend in self._all() if token is None else await self.aroute(token):
            try:
                await backend.apurge(token)
            except IntrospectionUnavailable as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def check(self) -> list[CheckMessage]:
        """Look for tokens of this deployment that never reach its tables (W015); each backend speaks for itself."""
        own = {alias for alias in self.choices if introspection_settings.BACKENDS[alias].get("BACKEND") == OWN_TABLES}
        begins = f"{introspection_settings.TOKEN_PREFIX.text}_"
        if not own or not own.isdisjoint(self._choose(f"{begins}{ACCESS_TOKEN}_")):
            return []
        place = f"{NAME}['BACKENDS'][{self.alias!r}]['OPTIONS']"
        return [warning("W015", f"{place} does not choose {', '.join(sorted(own))} for tokens with {begins!r}.")]

    def diagnose(self) -> Iterable[Finding]:
        """Say what is chosen from: each of these is tried by itself."""
        if self.choices:
            yield Finding.ok(f"it chooses from {', '.join(self.choices)}")
        if self.looked_up is not None:
            yield self.looked_up.diagnose()

    def _chosen(self, looked_up: TokenBackend | None, token: str) -> Sequence[TokenBackend]:
        if looked_up is not None:
            return (looked_up,)
        return tuple(token_backends[alias] for alias in self._choose(token))

    def _choose(self, token: str) -> Iterable[str]:
        if has_jose_header(token):
            alias = self._issuers.get(claimed_issuer(token) or "")
            return self._local_default if alias is None else (alias,)
        for prefix, alias in self._prefixes:
            if token.startswith(prefix):
                return (alias,)
        return self._default

    def _route_from_memory(self, token: str) -> Sequence[TokenBackend] | None:
        """Return like `route`, None if the issuer would be looked up."""
        if self.looked_up is None or not has_jose_header(token):
            return self._chosen(None, token)
        try:
            return self._chosen(self.looked_up.backend_from_memory(claimed_issuer(token) or ""), token)
        except LookUpNeeded:
            return None

    def _all(self) -> Sequence[TokenBackend]:
        looked_up = [] if self.looked_up is None else self.looked_up.made()
        return [*(token_backends[alias] for alias in self.choices), *looked_up]

    def _check_aliases(self, options: Options, name: str, aliases: Iterable[str]) -> None:
        for alias in aliases:
            if alias not in introspection_settings.BACKENDS:
                close = did_you_mean(alias, introspection_settings.BACKENDS)
                raise options.invalid(name, f"must name aliases of BACKENDS; {alias!r} is none{close}")
            if token_backends.kind(alias).is_router:
                raise options.invalid(name, f"must not name {alias!r}, which is a routing backend itself")


def _unchanged(answer: Answer, backend: TokenBackend) -> Answer:
    return answer
