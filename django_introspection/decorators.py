"""Protection of plain Django views by access token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import isfunction, signature
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import method_decorator
from rest_framework.exceptions import APIException

from .exceptions import InvalidDeclaration
from .protocol.presented import BEARER, SCHEMES, are_schemes
from .protocol.scope import parse_scope
from .resource_server.denial import DEFAULT_REALM, plain_response
from .resource_server.protection import Protection, for_one_sender
from .resource_server.requirements import Requirement
from .resource_server.token_permissions import ClaimPermission

__all__ = ["token_required"]

View = TypeVar("View", bound=Callable[..., Any])
NOT_FOR_DRF = (
    "token_required protects plain Django views; in Django REST framework use IntrospectionAuthentication and"
    " requires_scope()"
)


def token_required(
    view: None = None,
    /,
    *,
    scope: str = "",
    claim: type[ClaimPermission] | Sequence[type[ClaimPermission]] = (),
    using: str = "default",
    realm: str = DEFAULT_REALM,
    schemes: tuple[str, ...] = (BEARER,),
) -> Callable[[View], View]:
    """Require an access token with every scope token of `scope`; for sync and async views, functions and classes.

    `claim` is what `requires_claim()`, `requires_step_up()` or `requires_authorization_details()` returns, or a list of
    several, which are all required.

    The view finds `request.token_info` and `request.user`. A refusal is 400, 401, 403 or 503 in JSON, with the
    challenges of IntrospectionAuthentication, whose `schemes` these are. On a class, or on its `dispatch`, all handlers
    are protected. CSRF and login are not required: no browser sends a token by itself. Raises ValueError for an invalid
    scope or scheme, and TypeError without brackets, for another `claim`, on a single handler, and on a class of Django
    REST framework.
    """
    if view is not None:
        raise TypeError("token_required needs brackets: @token_required().")
    if not are_schemes(schemes):
        raise ValueError(f"schemes are of {', '.join(SCHEMES)}")
    protection, scopes, required = Protection(using, realm, schemes=schemes), parse_scope(scope), _requirements(claim)

    def decorate(view: Any) -> Any:
        if isinstance(view, type):
            return method_decorator(decorate, name="dispatch")(_plain_class(view))
        _refuse_handlers(view)

        async def aprotected(request: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                await protection.aadmit(_request_of(request, args), scopes, required)
            except APIException as denial:
                return plain_response(denial)
            return for_one_sender(await view(request, *args, **kwargs))

        def protected(request: Any, *args: Any, **kwargs: Any) -> Any:
            if _dispatches_async(view, request):
                return aprotected(request, *args, **kwargs)
            try:
                protection.admit(_request_of(request, args), scopes, required)
            except APIException as denial:
                return plain_response(denial)
            return for_one_sender(view(request, *args, **kwargs))

        wrapper: Any = wraps(view)(aprotected if iscoroutinefunction(view) else protected)
        wrapper.csrf_exempt, wrapper.login_required = True, False
        wrapper.introspection_protection, wrapper.introspection_scopes = protection, scopes  # for checks and metadata
        return wrapper

    return decorate


def _requirements(claim: Any) -> tuple[Requirement, ...]:
    """Return the requirements of the permissions that the argument names; raises TypeError for anything else."""
    named = claim if isinstance(claim, (list, tuple)) else (claim,)
    if not all(isinstance(each, type) and issubclass(each, ClaimPermission) for each in named):
        raise TypeError(
            "the argument claim of token_required takes what one call of requires_claim(), requires_step_up() or"
            " requires_authorization_details() returns, or a list of these"
        )
    return tuple(each.requirement for each in named)


def _request_of(first: Any, others: tuple[Any, ...]) -> HttpRequest:
    """Return the request of a call: the first argument of a function, the second one of a `dispatch`."""
    for argument in (first, *others[:1]):
        if isinstance(argument, HttpRequest):
            return argument
    raise InvalidDeclaration(NOT_FOR_DRF)


def _plain_class(view: type) -> type:
    """Return a class of Django's views; raises TypeError for another one."""
    from rest_framework.views import APIView

    if issubclass(view, APIView):
        raise TypeError(f"{view.__qualname__}: {NOT_FOR_DRF}")
    if not hasattr(view, "dispatch"):
        raise TypeError(f"{view.__qualname__}: token_required protects functions and subclasses of django.views.View")
    return view


def _refuse_handlers(view: Any) -> None:
    """Raise TypeError for a method other than `dispatch`: before it runs, Django has asked for CSRF and login."""
    if not isfunction(view) or view.__name__ == "dispatch":
        return
    if next(iter(signature(view).parameters), None) == "self":
        raise TypeError(f"{view.__qualname__}: put token_required on the class or on its dispatch, not on a handler")


def _dispatches_async(view: Any, first: Any) -> bool:
    """Return whether this is the `dispatch` of a class with async handlers: a plain function that is awaited."""
    bound = getattr(view, "func", view)
    return bool(getattr(getattr(bound, "__self__", first), "view_is_async", False))
