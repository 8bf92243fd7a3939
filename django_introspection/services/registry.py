"""The services of this process, by alias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..backends.made_once import MadeOnce
from ..conf import introspection_settings
from ..exceptions import InvalidSetting, UnknownService
from ..protocol.error_reports import conceal_locals
from ..setting_values import NAME, did_you_mean

if TYPE_CHECKING:
    from .base import Service
    from .exchange import ExchangeService
    from .own import OwnTokenService

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGES = (TOKEN_EXCHANGE, JWT_BEARER)
GRANT_TYPES = (CLIENT_CREDENTIALS, *EXCHANGES)


class Services(MadeOnce["Service"]):
    """Make each service on first use, once per process. The HTTP client is imported with the first one."""

    def __iter__(self) -> Iterator[str]:
        return iter(introspection_settings.SERVICES)

    def own(self, alias: str) -> OwnTokenService:
        """Return a service with tokens of this project's own; raises InvalidSetting for another one."""
        self._require(alias, (CLIENT_CREDENTIALS,), "service_token()")
        return self[alias]  # type: ignore[return-value] # the grant type decides the class

    def exchange(self, alias: str) -> ExchangeService:
        """Return a service that exchanges tokens; raises InvalidSetting for another one."""
        self._require(alias, EXCHANGES, "exchange_token()")
        return self[alias]  # type: ignore[return-value] # the grant type decides the class

    @conceal_locals
    def create(self, alias: str) -> Service:
        """Make a service from its settings; raises InvalidSetting that names the place."""
        from ..backends.options import Options
        from .exchange import ExchangeService
        from .own import OwnTokenService

        entry = self._entry(alias)
        options = Options(_place(alias), entry, InvalidSetting)
        grant_type = options.choice("grant_type", GRANT_TYPES)
        made = OwnTokenService if grant_type == CLIENT_CREDENTIALS else ExchangeService
        return made(alias, grant_type, options)

    def grant_type(self, alias: str) -> Any:
        """Return the grant type of an entry, without making a service; raises InvalidSetting for no entry."""
        return self._entry(alias).get("grant_type", CLIENT_CREDENTIALS)

    def _require(self, alias: str, grant_types: tuple[str, ...], caller: str) -> None:
        if self.grant_type(alias) not in grant_types:
            named = " or ".join(map(repr, grant_types))
            raise InvalidSetting(f"{_place(alias)}['grant_type'] must be {named} for {caller}.")

    def _entry(self, alias: str) -> Mapping[str, Any]:
        entries = introspection_settings.SERVICES
        if alias not in entries:
            raise UnknownService(f"{_place(alias)} does not exist{did_you_mean(alias, entries)}.")
        entry = entries[alias]
        if not isinstance(entry, Mapping):
            raise InvalidSetting(f"{_place(alias)} must be a dictionary.")
        return entry


def _place(alias: str) -> str:
    return f"{NAME}['SERVICES'][{alias!r}]"


services = Services()
