"""Clients, their secrets, and opaque tokens."""

from .client import Client, GrantType, IntrospectionPolicy
from .client_secret import ClientSecret
from .token import Token, TokenKind

__all__ = ["Client", "ClientSecret", "GrantType", "IntrospectionPolicy", "Token", "TokenKind"]
