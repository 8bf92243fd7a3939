"""The list of the apps with access, and the pages that revoke it. Each user reaches only the grants of this user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from ..authorization_server import revoking
from ..protocol.errors import IntrospectionUnavailable
from ..user_models import login_name
from .grants import UserGrants
from .pages import own_page


@own_page("GET", "HEAD")
def grants(request: HttpRequest) -> HttpResponse:
    """List the live grants of the user."""
    page = UserGrants(request.user).page(request.GET.get("page"))
    return _page(request, "grants", {"title": _("Apps with access to your account"), "page": page})


@own_page("GET", "HEAD", "POST")
def revoke_grant(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Revoke one grant, after showing what it allows."""
    own = UserGrants(request.user)
    if not own.has_had(grant_id):
        raise Http404
    if request.method == "POST":
        return _revoke(request, _("The access was revoked."), revoking.revoke_grant, grant_id)
    grant = own.find(grant_id)
    if grant is None:
        return _ended_before(request)
    return _page(request, "revoke_grant", {"title": _("Revoke access"), "grant": grant})


@own_page("GET", "HEAD", "POST")
def revoke_app(request: HttpRequest, client: int) -> HttpResponse:
    """Revoke every grant of an app, after showing how many there are."""
    own = UserGrants(request.user)
    app = own.client(client)
    if app is None:
        raise Http404
    if request.method == "POST":
        done = _("%(app)s has no access to your account any more.") % {"app": app.client_name}
        return _revoke(request, done, revoking.revoke_user_tokens, request.user, client=app)
    count = own.counts().get(app.pk, 0)
    if not count:
        return _ended_before(request)
    return _page(request, "revoke_app", {"title": _("Revoke all access of this app"), "app": app, "count": count})


@own_page("GET", "HEAD", "POST")
def revoke_all(request: HttpRequest) -> HttpResponse:
    """Revoke every token of the user, after showing how many apps have access."""
    if request.method == "POST":
        done = _("No app has access to your account any more.")
        return _revoke(request, done, revoking.revoke_user_tokens, request.user)
    count = len(UserGrants(request.user).counts())
    if not count:
        return _ended_before(request)
    return _page(request, "revoke_all", {"title": _("Revoke the access of all apps"), "count": count})


def _revoke(request: HttpRequest, done: str, revoke: Callable[..., int], *what: Any, **more: Any) -> HttpResponse:
    """Revoke in the name of the user, and report it on the list. A form that is sent twice finds nothing left to do."""
    try:
        count = revoke(*what, **more, by=None, who=f"{revoking.USER} {login_name(request.user)}")
    except IntrospectionUnavailable:
        messages.warning(request, _("The access was revoked. Some services may not know this yet."), fail_silently=True)
        return _list(request)
    if not count:
        return _ended_before(request)
    messages.success(request, done, fail_silently=True)
    return _list(request)


def _ended_before(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("This access had already ended. Nothing was changed."), fail_silently=True)
    return _list(request)


def _list(request: HttpRequest) -> HttpResponse:
    """Lead back to the page of the list that the user came from."""
    number = request.GET.get("page", "")
    query = f"?page={number}" if number.isascii() and number.isdigit() else ""
    return HttpResponseRedirect(reverse(f"{_namespace(request)}:grants") + query)


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    context = {"namespace": _namespace(request), "list_page": request.GET.get("page", ""), **context}
    return render(request, f"introspection/self_service/{name}.html", context)


def _namespace(request: HttpRequest) -> str:
    """Return the namespace of these URLs in the project, which may have put them below another one."""
    return request.resolver_match.namespace if request.resolver_match else "introspection_self_service"
