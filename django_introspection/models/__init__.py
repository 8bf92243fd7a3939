"""Clients, their secrets, and tokens."""

from .client import AccessTokenFormat, AuthMethod, Client, GrantType, IntrospectionPolicy
from .client_secret import ClientSecret
from .token import Token, TokenKind
from .verified_secret import VerifiedSecret as VerifiedSecret

__all__ = [
    "AccessTokenFormat",
    "AuthMethod",
    "Client",
    "ClientSecret",
    "GrantType",
    "IntrospectionPolicy",
    "Token",
    "TokenKind",
]
