"""Who `request.user` is: the local user where the source knows one, else a user made of the token alone."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from ..protocol.answer import Active
from ..protocol.token_info import TokenInfo


class TokenUser:
    """The resource owner or client that a token stands for; needs no table and no contrib.auth.

    `pk` is a UUID that stays the same for an issuer and subject. It is nobody in the admin: never staff, never
    superuser, and has no permissions, whatever the answer says.
    """

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, info: TokenInfo) -> None:
        self.token_info = info
        self.pk = self.id = _stable_pk(info)

    @property
    def is_client(self) -> bool:
        """Whether this is a client acting for itself."""
        subject = self.token_info.sub
        return subject is None or subject == self.token_info.client_id

    @property
    def username(self) -> str:
        """A name to show people, else the subject; never an identity."""
        info = self.token_info
        return info.username or info.sub or info.client_id or ""

    def get_username(self) -> str:
        """Return `username`."""
        return self.username

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Refuse: what a token may do is its scope."""
        return False

    def has_perms(self, perm_list: Any, obj: Any = None) -> bool:
        """Refuse, like `has_perm`."""
        return False

    def has_module_perms(self, module: str) -> bool:
        """Refuse, like `has_perm`."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenUser) and self.pk == other.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"<TokenUser {self.pk}>"


def user_of(answer: Active) -> Any:
    """Return the user of an active token."""
    return TokenUser(answer.info) if answer.user is None else answer.user


def _stable_pk(info: TokenInfo) -> uuid.UUID:
    """Name an identity by issuer and subject; a client without a subject is no user of the same name."""
    kind, name = ("sub", info.sub) if info.sub is not None else ("client_id", info.client_id or "")
    parts = "".join(f"{len(part)}:{part}" for part in (info.iss or "", kind, name))
    return uuid.UUID(bytes=hashlib.sha256(parts.encode()).digest()[:16])
