"""What a client is for, read from its fields: what it serves and what it may ask for."""

from __future__ import annotations

from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from ..models import Client, IntrospectionPolicy


class Purpose(TextChoices):
    """What a client is for."""

    RESOURCE_SERVER = "resource_server", _("Resource server: an API that asks what the tokens it receives mean")
    MACHINE = "machine", _("Machine client: a program that gets tokens for itself, to call APIs")
    BOTH = "both", _("Both: an API that also calls other APIs")

    @property
    def serves(self) -> bool:
        """Whether it has resources."""
        return self != Purpose.MACHINE

    @property
    def asks(self) -> bool:
        """Whether it gets tokens."""
        return self != Purpose.RESOURCE_SERVER


NAMES = {
    Purpose.RESOURCE_SERVER: _("resource server"),
    Purpose.MACHINE: _("machine client"),
    Purpose.BOTH: _("both"),
}
"""The purposes in a word."""

SERVES = ~Q(resources=[]) | Q(introspection_policy=IntrospectionPolicy.ANY)
ASKS = ~Q(grant_types=[])


def purpose_of(client: Client) -> Purpose | None:
    """Return what a client is for, None for one that neither serves nor asks."""
    serves = bool(client.resources) or client.introspection_policy == IntrospectionPolicy.ANY
    if client.grant_types:
        return Purpose.BOTH if serves else Purpose.MACHINE
    return Purpose.RESOURCE_SERVER if serves else None


def with_purpose(purpose: Purpose | None) -> Q:
    """Return the condition of clients that are for something, or for nothing yet."""
    serves, asks = (purpose.serves, purpose.asks) if purpose else (False, False)
    return (SERVES if serves else ~SERVES) & (ASKS if asks else ~ASKS)
