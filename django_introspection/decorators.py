"""Protection of plain Django views by access token."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from rest_framework.exceptions import APIException

from .exceptions import InvalidDeclaration
from .protocol.presented import BEARER, SCHEMES, are_schemes
from .protocol.scope import parse_scope
from .resource_server.denial import DEFAULT_REALM, plain_response
from .resource_server.protection import Protection

__all__ = ["token_required"]

View = TypeVar("View", bound=Callable[..., Any])


def token_required(
    view: None = None,
    /,
    *,
    scope: str = "",
    using: str = "default",
    realm: str = DEFAULT_REALM,
    schemes: tuple[str, ...] = (BEARER,),
) -> Callable[[View], View]:
    """Ask for an access token with every scope token of `scope`; for sync and async views.

    The view finds `request.token_info` and `request.user`. A refusal is 400, 401, 403 or 503 in JSON, with the
    challenges of IntrospectionAuthentication, whose `schemes` these are. Raises ValueError for a broken scope or
    scheme. On a class-based view it goes round `dispatch` by `method_decorator`. CSRF and login are not asked for: a
    token is in no cookie.
    """
    if view is not None:
        raise TypeError("token_required needs brackets: @token_required().")
    if not are_schemes(schemes):
        raise ValueError(f"schemes are of {', '.join(SCHEMES)}")
    protection, scopes = Protection(using, realm, schemes=schemes), parse_scope(scope)

    def decorate(view: View) -> View:
        async def aprotected(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _check_request(request, view)
            try:
                await protection.aadmit(request, scopes)
            except APIException as denial:
                return plain_response(denial)
            return await view(request, *args, **kwargs)

        def protected(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if _dispatches_async(view):
                return aprotected(request, *args, **kwargs)
            _check_request(request, view)
            try:
                protection.admit(request, scopes)
            except APIException as denial:
                return plain_response(denial)
            return view(request, *args, **kwargs)

        wrapper: Any = wraps(view)(aprotected if iscoroutinefunction(view) else protected)
        wrapper.csrf_exempt, wrapper.login_required = True, False
        wrapper.introspection_protection, wrapper.introspection_scopes = protection, scopes  # for checks and metadata
        return wrapper  # type: ignore[no-any-return]  # it is called as the view is

    return decorate


def _check_request(request: Any, view: Any) -> None:
    """Raise InvalidDeclaration if a method of a class was decorated, whose first argument is no request."""
    if not hasattr(request, "META"):
        place = f"{view.__module__}.{view.__qualname__}"
        remedy = "decorate its class with @method_decorator(token_required(...), name='dispatch')"
        raise InvalidDeclaration(f"token_required is for functions, and {place} is a method: {remedy}.")


def _dispatches_async(view: Any) -> bool:
    """Return whether this is the bound `dispatch` of a class with async handlers: a plain function that is awaited."""
    bound = getattr(view, "func", view)
    return bool(getattr(getattr(bound, "__self__", None), "view_is_async", False))
