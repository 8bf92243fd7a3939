"""The pages on which a person lists, makes, rotates and revokes tokens. Each user reaches only tokens of this user."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from ..authorization_server import revoking
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable
from ..self_service.pages import own_page, unavailable
from ..user_models import login_name
from . import issuing
from .forms import NewTokenForm, RotationForm
from .issuing import IssuedPersonalToken
from .models import PersonalToken

PAGE_SIZE = 20


@own_page("GET", "HEAD")
def tokens(request: HttpRequest) -> HttpResponse:
    """List the live tokens of the user, the newest first."""
    page = Paginator(PersonalToken.objects.live(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return _page(request, "tokens", {"title": _("Your tokens"), "page": page})


@own_page("GET", "HEAD", "POST")
def new(request: HttpRequest) -> HttpResponse:
    """Make a token, and show its value in the answer to the form alone."""
    try:
        form = NewTokenForm(request.user, request.POST or None)
        if form.is_valid():
            return _value(request, issuing.issue(request.user, **form.grant(), by=_who(request)))
    except IntegrityError:
        messages.info(request, _("This token was made before. Its value is not shown again."), fail_silently=True)
        return _list(request)
    except ValidationError as refused:
        _add_errors(form, refused)
    except IntrospectionUnavailable:
        return _unavailable(request)
    return _page(request, "new", {"title": _("New token"), "form": form})


@own_page("GET", "HEAD", "POST")
def rotate(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Give a token a new value, after a question."""
    row = _own(request, token_id)
    form = RotationForm(request.POST or None)
    try:
        if form.is_valid():
            issued = issuing.rotate(row, grace=form.cleaned_data["grace"], by=_who(request))
            if not issued.is_old_revoked_everywhere:
                _warn(request)
            return _value(request, issued)
    except ValidationError as refused:
        messages.info(request, " ".join(refused.messages), fail_silently=True)
        return _list(request)
    except IntrospectionUnavailable:
        return _unavailable(request)
    if not row.is_live(now()) or row.rotated_at is not None:
        messages.info(request, issuing.NOT_ROTATED, fail_silently=True)
        return _list(request)
    return _page(request, "rotate", {"title": _("Replace token"), "row": row, "form": form})


@own_page("GET", "HEAD", "POST")
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Revoke a token, after a question."""
    row = _own(request, token_id)
    if request.method != "POST":
        if not row.is_live(now()):
            return _ended_before(request)
        return _page(request, "revoke", {"title": _("Revoke token"), "row": row})
    try:
        if not issuing.revoke(row, by=_who(request)):
            return _ended_before(request)
    except IntrospectionUnavailable:
        _warn(request)
        return _list(request)
    messages.success(request, _("The token was revoked."), fail_silently=True)
    return _list(request)


def _own(request: HttpRequest, token_id: UUID) -> PersonalToken:
    row = PersonalToken.objects.of(request.user).filter(pk=token_id).first()
    if row is None:
        raise Http404
    return row


def _who(request: HttpRequest) -> str:
    return f"{revoking.USER} {login_name(request.user)}"


def _add_errors(form: NewTokenForm, refused: ValidationError) -> None:
    """Show what was refused at its field."""
    fields = {"lifetime": "days"}
    if not hasattr(refused, "error_dict"):
        form.add_error(None, refused)
        return
    for name, errors in refused.error_dict.items():
        field = fields.get(name, name)
        form.add_error(field if field in form.fields else None, errors)


def _value(request: HttpRequest, issued: IssuedPersonalToken) -> HttpResponse:
    return _page(request, "value", {"title": _("Your new token"), "row": issued.row, "value": issued.value})


def _warn(request: HttpRequest) -> None:
    text = _("The token was revoked. Some services may not know this yet.")
    messages.warning(request, text, fail_silently=True)


def _ended_before(request: HttpRequest) -> HttpResponse:
    messages.info(request, issuing.ENDED, fail_silently=True)
    return _list(request)


def _unavailable(request: HttpRequest) -> HttpResponse:
    """Answer that the rights of the user cannot be found out now."""
    return unavailable(request, "introspection/personal_tokens/unavailable.html", {"namespace": _namespace(request)})


def _list(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse(f"{_namespace(request)}:tokens"))


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    context = {"namespace": _namespace(request), **context}
    return render(request, f"introspection/personal_tokens/{name}.html", context)


def _namespace(request: HttpRequest) -> str:
    """Return the namespace of these URLs in the project, which may have put them below another one."""
    return request.resolver_match.namespace if request.resolver_match else "introspection_personal_tokens"
