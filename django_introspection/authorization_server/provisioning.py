"""Clients and secrets as a deployment's configuration has them: doing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.db.models import Q

from ..models import Client, ClientSecret
from ..models.fields import now
from ..protocol.error_reports import conceal_locals
from ..protocol.identifiers import is_client_id
from ..protocol.opaque import digest
from .issuing import add_secret, register


class Change(StrEnum):
    """The effect of provisioning."""

    CREATED = "created"
    SECRET_ADDED = "secret added"
    UNCHANGED = "unchanged"


class Provisioned(NamedTuple):
    """A client, the change that was made, and the generated secret if there is one."""

    client: Client
    change: Change
    generated_secret: str | None = None

    def __repr__(self) -> str:
        return f"<Provisioned {self.client.client_id} {self.change}>"


@conceal_locals
def provision(
    client_id: str | None, client_secret: str | None, defaults: Mapping[str, Any], **metadata: Any
) -> Provisioned:
    """Register a client as `register` does, or check that it exists with these fields, and add its secret if missing.

    `defaults` are fields of a new client only; the other fields are compared with those of an existing client. Raises
    ValidationError if one differs, for a secret that has expired, and if one would have to be generated.
    """
    client = None if client_id is None else find_client(client_id)
    if client is None:
        identity = {} if client_id is None else {"client_id": client_id}
        try:
            registered = register(client_secret=client_secret, **{**defaults, **identity, **metadata})
        except (IntegrityError, ValidationError):
            client = None if client_id is None else find_client(client_id)
            if client is None:  # no other process was faster: it is our own mistake
                raise
        else:
            generated = registered.secret if client_secret is None else None
            return Provisioned(registered.client, Change.CREATED, generated)
    _refuse_difference(client, metadata)
    return Provisioned(client, _provision_secret(client, client_secret))


def find_client(client_id: str) -> Client | None:
    """Return the client with an identifier, None if there is none."""
    if not is_client_id(client_id):
        return None
    found = Client.objects.with_id(client_id).first()
    # a collation may see fewer differences than we do
    return found if found is not None and found.client_id == client_id else None


def get_client(client_id: str) -> Client:
    """Return the client with an identifier; raises Client.DoesNotExist."""
    client = find_client(client_id)
    if client is None:
        raise Client.DoesNotExist("The client does not exist.")
    return client


@conceal_locals
def rotate_secret(
    client: Client,
    value: str | None = None,
    *,
    expires_at: datetime | None = None,
    others_expire_at: datetime | None = None,
    form_id: UUID | None = None,
) -> str:
    """Add a secret to a client, limit the life of the other live secrets, and return the new one.

    The new secret expires at `expires_at`, the others at `others_expire_at` or earlier; None means no new limit.
    `form_id` is the ID of the form that asks: a form that has made a secret gets no second one.

    Raises ValidationError as `add_secret` does, if the client has this secret already, and if it has another
    authentication method than a secret. Raises IntegrityError for a form that has made a secret, and if the client was
    deleted.
    """
    if not client.has_secrets:
        raise ValidationError("This client does not authenticate by a secret.")
    if value is not None and _secrets(client).filter(digest=digest(value)).exists():
        raise ValidationError("The client has this secret already.")
    with transaction.atomic(using=router.db_for_write(ClientSecret)):
        if others_expire_at is not None:
            lasting = _secrets(client).filter(Q(expires_at=None) | Q(expires_at__gt=others_expire_at))
            lasting.update(expires_at=others_expire_at)
        return add_secret(client, value, expires_at=expires_at, form_id=form_id)


def _refuse_difference(client: Client, metadata: Mapping[str, Any]) -> None:
    if different := sorted(name for name, value in metadata.items() if getattr(client, name) != value):
        raise ValidationError(f"The client exists with another {', '.join(different)}; nothing was changed.")


def _provision_secret(client: Client, value: str | None) -> Change:
    if value is None and client.has_secrets:
        raise ValidationError("The client exists; rotating makes a further secret for it.")
    if value is None:
        return Change.UNCHANGED
    if not client.has_secrets:
        raise ValidationError("This client does not authenticate by a secret.")
    of_this_value = _secrets(client).filter(digest=digest(value))
    found = of_this_value.first()
    if found is None:
        try:
            add_secret(client, value)
        except (IntegrityError, ValidationError):
            if not of_this_value.exists():  # no other process was faster
                raise
        else:
            return Change.SECRET_ADDED
    elif not found.is_live(now()):
        raise ValidationError("This secret of the client has expired and does not come back: provision another one.")
    return Change.UNCHANGED


def _secrets(client: Client) -> Any:
    return ClientSecret.objects.using(router.db_for_write(ClientSecret)).filter(client=client)
