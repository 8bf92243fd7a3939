"""An optional app: a table of trusted issuers, which operators change in the admin while the API runs."""

from .table import IssuerTable

find = IssuerTable()
"""What a RoutingBackend names as its option `issuers`."""
