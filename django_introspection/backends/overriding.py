"""Whether a backend of a project overrides the methods that views call: some have a twin for async views."""

from __future__ import annotations

from .base import TokenBackend

TWINS = (("introspect", "aintrospect"), ("route", "aroute"), ("purge", "apurge"))


def override_problem(backend_class: type[TokenBackend]) -> str | None:
    """Return why an override of a method would not count in every view; None if all of them do.

    A rule that refuses tokens in sync views alone leaves async views open, and nothing shows it.
    """
    for method, twin in TWINS:
        own, other = _place(backend_class, method), _place(backend_class, twin)
        if own != other and not _is_derived(backend_class, twin):
            over, missing, views = (method, twin, "async") if own < other else (twin, method, "sync")
            return f"overrides {over}() without {missing}(), so {views} views would not use it; override both"
    if backend_class.is_router and _place(backend_class, "introspect") < _place(backend_class, "is_router"):
        return "overrides introspect() of a routing backend, which no view calls; override route() and aroute()"
    return None


def _is_derived(backend_class: type[TokenBackend], twin: str) -> bool:
    """Return whether a method is that of the base class, which calls the other of the two."""
    return getattr(backend_class, twin) is getattr(TokenBackend, twin)


def _place(backend_class: type[TokenBackend], name: str) -> int:
    """Return how far the class that defines a name is from the backend, in the order of resolution."""
    return next(number for number, each in enumerate(backend_class.__mro__) if name in vars(each))
