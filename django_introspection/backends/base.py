"""The base class of every token backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage

from ..exceptions import InvalidBackend
from ..protocol.answer import Answer
from ..setting_values import NAME
from .diagnosis import Finding, ask
from .options import CacheOptions, Options

if TYPE_CHECKING:
    from .feed import Feed

__all__ = ["Options", "TokenBackend"]


class TokenBackend(ABC):
    """Find out what tokens mean. One instance per process and alias, shared by threads and event loops.

    `audience` are the identifiers of this resource server, one of which a token must be for; empty if the audience
    is not checked, which `accepts_any_audience` says is on purpose. `audience_claim` is the member in which tokens name
    theirs. A token that names no audience is rejected as well if `is_audience_required`. `issuer` is the only issuer
    believed, if set.
    `is_token_type_required` refuses an answer that does not say it is about an access token; one that names another
    kind is always refused. `user_resolver` is the entry USER of the alias.
    """

    issuer: str | None = None
    audience_claim = "aud"
    user_resolver: Any = None
    feed: Feed | None = None
    """The feed of revocations of the server that this backend asks, if REVOCATIONS says so."""
    is_token_type_required = True
    cut_off_issuer: str | None = None
    """The issuer whose cut-offs end tokens at this backend, None if it reads none."""
    supports_cache = False
    """Whether CACHE means something to this kind of backend."""
    is_remote = True
    """Whether this kind of backend shows tokens to another server."""
    then_ask: str | None = None
    """The alias of a backend that is asked about each token that this one accepts, and must accept it too."""
    is_router = False
    """Whether this kind of backend only chooses the backend that answers."""
    choices: tuple[str, ...] = ()
    """The aliases that this backend chooses from; empty for one that answers itself."""
    looks_up_issuers = False
    """Whether this backend also chooses from issuers that no alias names."""
    is_looked_up = False
    """Whether this backend is that of an issuer which a routing backend looked up; no alias of BACKENDS names it."""

    def __init__(self, alias: str, options: Mapping[str, Any], cache: Mapping[str, Any] | None = None) -> None:
        self.alias = alias
        if cache is not None and not self.supports_cache:
            raise InvalidBackend(
                f"{NAME}['BACKENDS'][{alias!r}]['CACHE'] must not be set: {type(self).__name__} keeps no answers."
            )
        self.cache_options = None if cache is None else CacheOptions.read(alias, cache)
        taken = Options(f"{NAME}['BACKENDS'][{alias!r}]['OPTIONS']", options)
        self.place = taken.place
        self.accepts_any_audience = taken.is_none("audience")
        self.audience = taken.strings("audience")
        self.is_audience_required = taken.flag("audience_required", True)
        if not self.audience and not self.is_audience_required:
            raise taken.invalid("audience_required", "needs the option audience")
        self.configure(taken)
        taken.finish()

    def configure(self, options: Options) -> None:
        """Take the options of this kind of backend; raises InvalidBackend. No input or output here."""

    def follow_feed(self, values: Any) -> None:
        """Take the entry REVOCATIONS of the alias, which names a feed; raises InvalidBackend."""
        raise InvalidBackend(
            f"{NAME}['BACKENDS'][{self.alias!r}]['REVOCATIONS'] must not be set: {type(self).__name__} keeps nothing."
        )

    @property
    def identity_issuer(self) -> str:
        """The issuer to which the users and clients of this backend belong; the alias alone if no setting names one.

        The `iss` of an answer counts only if it is configured: any server can write any issuer.
        """
        return self.issuer or f"alias:{self.alias}"

    def route(self, token: str) -> Sequence[TokenBackend]:
        """Return the backends that judge a token, in order; called if `is_router`.

        Raises IntrospectionUnavailable if they cannot be found out now.
        """
        return (self,)

    async def aroute(self, token: str) -> Sequence[TokenBackend]:
        """Return like `route`, without blocking the event loop."""
        return self.route(token)

    def known_route(self, token: str) -> Sequence[TokenBackend]:
        """Return like `route` without waiting; empty if only a look-up could tell."""
        return self.route(token)

    def forget_issuer(self, issuer: str | None = None) -> None:
        """Look up one issuer, or all of them, at the next token; here none is looked up."""

    @abstractmethod
    def introspect(self, token: str) -> Answer:
        """Ask the source about a token; raises IntrospectionUnavailable if the source cannot be asked."""

    async def aintrospect(self, token: str) -> Answer:
        """Ask like `introspect`, without blocking the event loop."""
        return await sync_to_async(self.introspect)(token)

    def purge(self, token: str | None = None) -> None:
        """Forget what was answered about one token, or about all of them; here nothing is kept.

        Raises IntrospectionUnavailable if a part of it could not be forgotten: call it again later.
        """

    async def apurge(self, token: str | None = None) -> None:
        """Forget like `purge`, without blocking the event loop."""
        await sync_to_async(self.purge)(token)

    def check(self) -> list[CheckMessage]:
        """Return the messages of `check --deploy` about this backend."""
        return []

    def diagnose(self) -> Iterable[Finding]:
        """Try for real whether it works, and yield what is found: for the command introspection_doctor.

        Slower than a request, but with an end; nothing is raised that a server, a network or a database can cause.
        """
        return ask(self.introspect)

    def close(self) -> None:
        """Give up connections; the backend is not used afterwards."""
