"""An optional app: a table of trusted issuers, which operators change in the admin while the API runs."""

from .table import IssuerTable

find = IssuerTable()
"""The value of the option `issuers` of a RoutingBackend."""
