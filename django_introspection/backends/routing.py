"""Tokens of several issuers: each is shown to one backend, and never to a second authorization server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.checks import CheckMessage

from ..conf import introspection_settings
from ..outbound.steps import arun, run
from ..protocol.answer import Answer
from ..protocol.error_reports import conceal_locals
from ..protocol.jwt import claimed_issuer, has_jose_header
from ..protocol.presented import Presented
from ..setting_values import did_you_mean
from .base import TokenBackend
from .diagnosis import Finding
from .options import Options
from .registry import token_backends
from .route import ask_route


class RoutingBackend(TokenBackend):
    """Choose the backend of a token: by the issuer that a JWT claims, by how an opaque token begins, or `default`.

    What a JWT claims chooses alone, and proves nothing. A JWT of an issuer that is not listed is shown to no server.
    """

    is_remote = False  # it asks nobody itself

    def configure(self, options: Options) -> None:
        """Take the aliases to choose from; raises InvalidBackend for those that cannot be chosen."""
        if self.audience:
            raise options.invalid("audience", "must be set on the backends that are chosen from, not here")
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
        if not self.choices:
            raise options.invalid("default", "is required, unless 'issuers' or 'prefixes' name backends")

    def route(self, token: str) -> Sequence[TokenBackend]:
        """Return the backends that a token may be shown to, in order; none for a JWT of another issuer."""
        return tuple(token_backends[alias] for alias in self._choose(token))

    @conceal_locals
    def introspect(self, token: str) -> Answer:
        """Ask the backend of a token; raises IntrospectionUnavailable."""
        return run(ask_route(self.route(token), Presented(token), _unchanged))

    @conceal_locals
    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, without blocking the event loop."""
        return await arun(ask_route(self.route(token), Presented(token), _unchanged))

    @conceal_locals
    def purge(self, token: str | None = None) -> None:
        """Forget what the backend of a token was answered, or what all of them were."""
        for backend in self._purged(token):
            backend.purge(token)

    @conceal_locals
    async def apurge(self, token: str | None = None) -> None:
        """Forget like `purge`, without blocking the event loop."""
        for backend in self._purged(token):
            await backend.apurge(token)

    def check(self) -> list[CheckMessage]:
        """Say nothing: each backend that is chosen from speaks for itself."""
        return []

    def diagnose(self) -> Iterable[Finding]:
        """Say what is chosen from: each of these is tried by itself."""
        return [Finding.ok(f"it chooses from {', '.join(self.choices)}")]

    def _choose(self, token: str) -> Iterable[str]:
        if has_jose_header(token):
            alias = self._issuers.get(claimed_issuer(token) or "")
            return self._local_default if alias is None else (alias,)
        for prefix, alias in self._prefixes:
            if token.startswith(prefix):
                return (alias,)
        return self._default

    def _purged(self, token: str | None) -> Sequence[TokenBackend]:
        return [token_backends[alias] for alias in self.choices] if token is None else self.route(token)

    def _check_aliases(self, options: Options, name: str, aliases: Iterable[str]) -> None:
        for alias in aliases:
            if alias not in introspection_settings.BACKENDS:
                close = did_you_mean(alias, introspection_settings.BACKENDS)
                raise options.invalid(name, f"must name aliases of BACKENDS; {alias!r} is none{close}")
            if issubclass(token_backends.kind(alias), RoutingBackend):
                raise options.invalid(name, f"must not name {alias!r}, which is a routing backend itself")


def _unchanged(answer: Answer, backend: TokenBackend) -> Answer:
    return answer
