"""The meaning of a token: the members of an introspection response (RFC 7662 §2.2)."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from . import dialects
from .claims import ClaimName, ClaimValue, RequiredClaim


class TokenInfo(Mapping[str, Any]):
    """Read an active token: a mapping of the response members, and the typed form as attributes.

    The mapping holds the members as the server wrote them; the attributes also read the members that servers use
    instead of those of RFC 7662. It is frozen deeply (lists are tuples here); `to_dict()` returns a copy. Members have
    been checked before an instance is made.
    """

    __slots__ = ("_members",)

    _members: Mapping[str, Any]

    def __init__(self, members: Mapping[str, Any]) -> None:
        frozen = {"active": True}  # first, and whatever the members say
        for name, value in members.items():
            frozen[name] = value if type(value) in _PLAIN else _freeze(value)
        frozen["active"] = True
        object.__setattr__(self, "_members", MappingProxyType(frozen))

    @property
    def sub(self) -> str | None:
        """The resource owner, or the client if there is none, as the issuer names it."""
        return self._members.get("sub")

    @property
    def client_id(self) -> str | None:
        """The client that the token was issued to: `client_id`, or else `azp`, `cid` or `appid`."""
        client_id = self._members.get("client_id")
        return client_id if isinstance(client_id, str) else dialects.client_identifier(self._members)

    @property
    def username(self) -> str | None:
        """A name to show people, never an identity: `username`, `preferred_username`, `upn` or `unique_name`."""
        name = self._members.get("username")
        return name if isinstance(name, str) else dialects.display_name(self._members)

    @property
    def iss(self) -> str | None:
        """The issuer identifier."""
        return self._members.get("iss")

    @property
    def jti(self) -> str | None:
        """The identifier of the token, which is not the token."""
        return self._members.get("jti")

    @property
    def token_type(self) -> str | None:
        """`Bearer` or `DPoP`; a refresh token has none."""
        return self._members.get("token_type")

    @property
    def scopes(self) -> frozenset[str]:
        """The scope tokens of `scope`, or else of `scp`; either may be a string or a list."""
        return frozenset(dialects.scope_tokens(self._members))

    @property
    def audiences(self) -> tuple[str, ...]:
        """The resources that the token is for: `aud`."""
        return dialects.audiences(self._members)

    @property
    def expires_at(self) -> datetime | None:
        """The moment from which the token is expired, in UTC."""
        return self._time("exp")

    @property
    def issued_at(self) -> datetime | None:
        """When the token was issued, in UTC."""
        return self._time("iat")

    @property
    def not_before(self) -> datetime | None:
        """The moment from which the token is valid, in UTC."""
        return self._time("nbf")

    @property
    def confirmation(self) -> Mapping[str, Any] | None:
        """The key or certificate that the token is bound to (RFC 7800 §3.1)."""
        return self._members.get("cnf")

    @property
    def is_access_token(self) -> bool | None:
        """Whether the members say that this is an access token, None if they do not say.

        `token_type` names a scheme (RFC 6749 §7.1), and refresh tokens have none; servers name the kind there as well,
        or in a member of their own such as `token_use`, `tokenType` or `typ`.
        """
        return dialects.is_access_token(self._members)

    def has_claim(self, name: ClaimName, *values: ClaimValue) -> bool:
        """Return whether a claim is, or contains, any of these values, as `requires_claim()` compares them.

        `name` is the exact name of one member, or a list of names that leads to a nested one. Raises ValueError or
        TypeError for names and values that no claim can have.
        """
        return RequiredClaim.named(name, *values).is_held(self)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the members in plain, changeable types."""
        thawed: dict[str, Any] = _thaw(self._members)
        return thawed

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member, or the default if there is none; the method of `Mapping` is slower."""
        return self._members.get(name, default)

    def items(self) -> ItemsView[str, Any]:
        """Return the members with their names, faster than `Mapping` does."""
        return self._members.items()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return bool(self.to_dict() == _thaw(other))

    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("TokenInfo is read-only")

    def __repr__(self) -> str:
        return f"<TokenInfo jti={self.jti!r} client_id={self.client_id!r}>"

    def __reduce__(self) -> tuple[type[TokenInfo], tuple[dict[str, Any]]]:
        return TokenInfo, (self.to_dict(),)

    def _time(self, name: str) -> datetime | None:
        seconds = self._members.get(name)
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


_PLAIN = frozenset({str, int, bool, float, type(None)})
"""Types that cannot change; most members are of one of them."""


def _freeze(value: Any) -> Any:
    if isinstance(value, Mapping):
        frozen = {key: item if type(item) in _PLAIN else _freeze(item) for key, item in value.items()}
        return MappingProxyType(frozen)
    if isinstance(value, (list, tuple)):
        return tuple([item if type(item) in _PLAIN else _freeze(item) for item in value])
    return value


def _thaw(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: item if type(item) in _PLAIN else _thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _PLAIN else _thaw(item) for item in value]
    return value
