"""A change of the table counts at once in the process that makes it."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from ...backends.registry import token_backends
from . import find
from .models import TrustedIssuer


def connect() -> None:
    """Connect to the signals of the model; calling it again changes nothing."""
    for signal in (post_save, post_delete):
        signal.connect(_changed, sender=TrustedIssuer, dispatch_uid="introspection_issuers")


def announce(*, using: str | None) -> None:
    """Read the table anew now, and once more when the transaction is committed: others may read before that."""
    _forget()
    transaction.on_commit(_forget, using=using)


def _forget() -> None:
    find.forget()
    token_backends.forget_issuer()


def _changed(*, using: str, **_: Any) -> None:
    announce(using=using)
