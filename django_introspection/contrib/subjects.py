"""What a machine token of another package has as its `sub`."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError


def client_subject(client_id: str | None, *, users_by_pk: bool) -> str | None:
    """Return the client identifier, None where it could be the `sub` of a user (RFC 9700 §4.15).

    Other packages let whoever registers a client choose its identifier. `users_by_pk` tells whether the `sub` of a user
    is its primary key; of any other nothing is known here.
    """
    if client_id is None or not users_by_pk:
        return None
    try:
        get_user_model()._meta.pk.to_python(client_id)
    except ValidationError:
        return client_id
    return None
