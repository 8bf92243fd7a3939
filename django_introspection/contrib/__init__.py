"""Bridges to other packages; each is imported only if that package is installed."""
