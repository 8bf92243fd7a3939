"""The token that a caller asks about, found by the statement that finds the secret of the caller.

Authentication and the source of the answer stay apart: a source of clients may note what else its statement has found,
and the answer is made of it as if it had been looked up afterwards.
"""

from __future__ import annotations

from django.http import HttpRequest

from ..backends.database import LookedUp, claimed_digest
from ..conf import introspection_settings
from ..protocol.presented import Presented

_NAME = "_introspection_read_along"


class ReadAlong:
    """The digest of the token that an introspection asks about, and what was found under it.

    `digest` is None if the token cannot be in the tables of this app, `found` if nobody has looked.
    """

    __slots__ = ("digest", "found", "token")

    def __init__(self, token: Presented, digest: bytes | None) -> None:
        self.token, self.digest = token, digest
        self.found: LookedUp | None = None


def offer(request: HttpRequest, token: str | None) -> None:
    """Let a token be looked up in the tables of this app by the statement that authenticates the caller of a request.

    The signature of a JWT is not verified yet: strangers must not make this server work.
    """
    is_here = token is not None and introspection_settings.INTROSPECTION_BACKEND is None
    vars(request)[_NAME] = ReadAlong(Presented(token or ""), claimed_digest(token) if token and is_here else None)


def offered(request: HttpRequest) -> ReadAlong | None:
    """Return what a request offers to read along, None if it is no introspection."""
    return vars(request).get(_NAME)


def looked_up(request: HttpRequest) -> LookedUp | None:
    """Return the token that was read along, None if it has to be looked up."""
    read_along = offered(request)
    return None if read_along is None else read_along.found
