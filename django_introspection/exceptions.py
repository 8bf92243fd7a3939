"""Every exception that a user of the package may meet."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from .protocol.errors import ExchangeRefused, IntrospectionError, IntrospectionUnavailable, InvalidResponse

__all__ = [
    "ExchangeRefused",
    "IntrospectionError",
    "IntrospectionUnavailable",
    "InvalidBackend",
    "InvalidDeclaration",
    "InvalidResponse",
    "InvalidSetting",
    "UnknownBackend",
    "UnknownService",
]


class InvalidSetting(ImproperlyConfigured):
    """A setting under TOKEN_INTROSPECTION is wrong; the message names the place, never the value."""


class InvalidDeclaration(ImproperlyConfigured):
    """A view declares its protection in a way that cannot be read; the message names the view."""


class InvalidBackend(InvalidSetting):
    """A token backend cannot be made from its settings."""


class UnknownBackend(InvalidBackend, KeyError):
    """No token backend has this alias."""

    __str__ = Exception.__str__


class UnknownService(InvalidSetting, KeyError):
    """No entry of SERVICES has this alias."""

    __str__ = Exception.__str__
