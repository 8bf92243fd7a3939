"""The purpose of a client: its meaning for a new client, and how it is read from the fields of any client."""

from __future__ import annotations

from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from ..models import Client, GrantType, IntrospectionPolicy


class Purpose(TextChoices):
    """The purpose of a client."""

    RESOURCE_SERVER = "resource-server", _("Resource server: an API that introspects the tokens it receives")
    MACHINE = "machine", _("Machine client: a program that gets tokens of its own to call APIs")
    BOTH = "both", _("Both: an API that also calls other APIs")

    @property
    def serves(self) -> bool:
        """Whether the client serves resources."""
        return self != Purpose.MACHINE

    @property
    def asks(self) -> bool:
        """Whether the client gets tokens of its own."""
        return self != Purpose.RESOURCE_SERVER

    @property
    def grant_types(self) -> list[str]:
        """The grant types of a new client with this purpose."""
        return [GrantType.CLIENT_CREDENTIALS.value] if self.asks else []

    @property
    def introspection_policy(self) -> IntrospectionPolicy:
        """The introspection policy of a new client with this purpose."""
        return IntrospectionPolicy.AUDIENCE if self.serves else IntrospectionPolicy.OWN


NAMES = {
    Purpose.RESOURCE_SERVER: _("resource server"),
    Purpose.MACHINE: _("machine client"),
    Purpose.BOTH: _("both"),
}
"""Short names of the purposes."""

SERVES = ~Q(resources=[]) | Q(introspection_policy=IntrospectionPolicy.ANY)
ASKS = ~Q(grant_types=[])


def purpose_of(client: Client) -> Purpose | None:
    """Return the purpose of a client, or None for a client that neither serves resources nor gets tokens."""
    serves = bool(client.resources) or client.introspection_policy == IntrospectionPolicy.ANY
    if client.grant_types:
        return Purpose.BOTH if serves else Purpose.MACHINE
    return Purpose.RESOURCE_SERVER if serves else None


def with_purpose(purpose: Purpose | None) -> Q:
    """Return the query for clients with a purpose, or for those without one."""
    serves, asks = (purpose.serves, purpose.asks) if purpose else (False, False)
    return (SERVES if serves else ~SERVES) & (ASKS if asks else ~ASKS)
