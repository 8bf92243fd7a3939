"""The most that a caller of the API may give to a new token: no token makes another one that has more than itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..protocol.networks import MEMBER, Network, read_networks
from ..protocol.token_info import TokenInfo


class Bounds(NamedTuple):
    """The most that a new token may have; None stands for no limit beside those of its owner."""

    scopes: frozenset[str] | None = None
    audience: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    networks: tuple[str, ...] | None = None
    cnf: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, info: TokenInfo) -> Bounds:
        """Return the bounds of the tokens that a request with this token makes."""
        cnf = info.to_dict().get("cnf")
        return cls(info.scopes, info.audiences, info.expires_at, info.get(MEMBER), cnf)

    def hold(self, networks: Iterable[Network]) -> bool:
        """Return whether each of some networks is a part of one of these."""
        if self.networks is None:
            return True
        own = read_networks(self.networks) or ()
        return all(any(_is_part(network, other) for other in own) for network in networks)


UNBOUND = Bounds()


def _is_part(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]  # the same version
