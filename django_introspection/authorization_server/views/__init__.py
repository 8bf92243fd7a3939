"""The endpoints."""

from .introspect import IntrospectView
from .jwks import JWKSView
from .metadata import MetadataView
from .revoke import RevokeView
from .token import TokenView

__all__ = ["IntrospectView", "JWKSView", "MetadataView", "RevokeView", "TokenView"]
