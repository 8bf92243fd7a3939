"""The frame of the pages: an active user must be logged in, and caches and other sites get nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from ..protocol.error_reports import conceal_locals
from ..user_models import is_active_user
from .sessions import is_of_session

logger = logging.getLogger("django_introspection")

RETRY_AFTER = "5"
"""Seconds."""
REFERRER_POLICY = "same-origin"
"""Not `no-referrer`: Django compares the origin of a form, which browsers then hide from it."""
View = Callable[..., HttpResponse]


def own_page(*methods: str) -> Callable[[View], View]:
    """Show a page to an active user who is logged in, and never in a cache or in a frame of another page.

    The page runs outside of ATOMIC_REQUESTS, because an error must not undo a revocation. If the database fails, the
    answer is 503. The report of any other error shows nothing that the page would have shown.
    """

    def decorate(view: View) -> View:
        view = conceal_locals(view)
        for guard in (_active, login_required, _of_session, csrf_protect, require_http_methods([*methods])):
            view = guard(view)
        view = _reported(view)
        for finish in (xframe_options_deny, _keep_address, never_cache):
            view = finish(view)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    return decorate


def unavailable(request: HttpRequest, template: str, context: Mapping[str, Any]) -> HttpResponse:
    """Return the page that says that another page cannot be shown now."""
    response = render(request, template, {"title": _("Not available"), **context}, status=503)
    response["Retry-After"] = RETRY_AFTER
    return response


def _reported(view: View) -> View:
    """Answer 503 if the database fails, which also has sessions and users."""

    @wraps(view)
    def reported(request: HttpRequest, **arguments: Any) -> HttpResponse:
        try:
            return view(request, **arguments)
        except DatabaseError as error:  # its text may quote values
            logger.error("a page for people cannot be shown: %s", type(error).__name__)
            return unavailable(request, "introspection/self_service/unavailable.html", {})

    return reported


def _active(view: View) -> View:
    """Refuse a disabled user, whom some authentication backends let in."""

    @wraps(view)
    def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if not is_active_user(request.user):
            raise PermissionDenied
        return view(request, **arguments)

    return checked


def _of_session(view: View) -> View:
    """Take a request for that of a stranger if something else than a session names its user."""

    @wraps(view)
    def checked(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if not is_of_session(request):
            request.user = AnonymousUser()
        return view(request, **arguments)

    return checked


def _keep_address(view: View) -> View:
    """Keep the address of the page from other sites."""

    @wraps(view)
    def answered(request: HttpRequest, **arguments: Any) -> HttpResponse:
        response = view(request, **arguments)
        response["Referrer-Policy"] = REFERRER_POLICY
        return response

    return answered
