"""Deleting clients, users and tokens: tombstones are written first, or nothing is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..authorization_server.ending import are_tombstones_written
from ..authorization_server.revoking import ended_with
from ..conf import introspection_settings
from ..models import Client, Token
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = object


class EndingTokens(NamedTuple):
    """The tokens that end with the objects that are about to be deleted, and the conditions of their end."""

    total: int
    live: int
    can_end: bool
    reaches_caches: bool


def tokens_of(objects: Any) -> EndingTokens:
    """Count the tokens that end with clients, users or tokens: one object, a list or a queryset of them."""
    found = _tokens(list(objects) if isinstance(objects, QuerySet | list) else [objects])
    live = found.filter(revoked_at=None, expires_at__gt=now())
    reaches_caches = introspection_settings.REVOCATIONS is not None
    return EndingTokens(found.count(), live.count(), are_tombstones_written(), reaches_caches)


def _tokens(objects: list[Any]) -> QuerySet[Token]:
    if objects and isinstance(objects[0], Token):
        return ended_with(objects)
    owner = "client" if objects and isinstance(objects[0], Client) else "user"
    return Token.objects.on_primary().filter(**{f"{owner}__in": [each.pk for each in objects]})


class DeletesWithTokens(_ModelAdmin):
    """Report how many tokens ended with a deletion. Delete nothing while the cache of REVOCATIONS does not answer."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List the first tokens of clients or users, and count all of them."""
        listed, counts, *problems = super().get_deleted_objects(objs, request)
        name = Token._meta.verbose_name_plural
        if name in counts and self.model is not Token:
            total = tokens_of(objs if isinstance(objs, QuerySet) else list(objs)).total
            more, counts[name] = total - counts[name], total
            if more > 0:
                text = ngettext("… and %(count)d more token", "… and %(count)d more tokens", more)
                listed = [*listed, text % {"count": more}]
        return listed, counts, *problems

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Delete one object, or go back to this page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except IntrospectionUnavailable:
            return _refused(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """List, or perform an action: in a transaction, so that no history records a deletion that was refused."""
        if "delete_selected" not in request.POST.getlist("action"):
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic(using=router.db_for_write(self.model)):
                return super().changelist_view(request, extra_context)
        except IntrospectionUnavailable:
            return _refused(request)

    def before_deletion(self, request: HttpRequest, objects: list[Any]) -> None:
        """Do what has to be done before objects are deleted; the models write the tombstones."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete an object, and report the tokens that ended with it."""
        live = tokens_of(obj).live
        self.before_deletion(request, [obj])
        super().delete_model(request, obj)
        _report(request, live)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete objects, and report the tokens that ended with them."""
        live = tokens_of(queryset).live
        self.before_deletion(request, list(queryset))
        super().delete_queryset(request, queryset)
        _report(request, live)


def _report(request: HttpRequest, revoked: int) -> None:
    if revoked:
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", revoked)
        messages.success(request, text % {"count": revoked})


def _refused(request: HttpRequest) -> HttpResponse:
    problem = _("Nothing was deleted: the cache of revocations does not answer. Try again, or revoke the tokens first.")
    messages.error(request, problem)
    return HttpResponseRedirect(request.get_full_path())
