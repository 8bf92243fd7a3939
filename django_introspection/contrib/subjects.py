"""The `sub` of machine tokens of other packages."""

from __future__ import annotations

from ..backends.subjects import may_be_user_pk


def client_subject(client_id: str | None, *, users_by_pk: bool) -> str | None:
    """Return the client identifier, None if it could be the `sub` of a user (RFC 9700 §4.15).

    Other packages let users choose the identifiers of clients, and a `sub` is not required of their opaque tokens.
    `users_by_pk` is whether the `sub` of a user is its primary key; of any other nothing is known here.
    """
    return None if client_id is None or not users_by_pk or may_be_user_pk(client_id) else client_id
