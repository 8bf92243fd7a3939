"""Deleting in the admin: refused with a message while the tombstones of the tokens cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from ..protocol.errors import IntrospectionUnavailable

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = object


class RefusesDeletion(_ModelAdmin):
    """Delete nothing, and say why, while the cache of REVOCATIONS does not answer."""

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Delete one object, or go back to this page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except IntrospectionUnavailable:
            return _refused(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """List, or perform an action: in a transaction, so that no history tells of a deletion that was refused."""
        if "delete_selected" not in request.POST.getlist("action"):
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic(using=router.db_for_write(self.model)):
                return super().changelist_view(request, extra_context)
        except IntrospectionUnavailable:
            return _refused(request)


def _refused(request: HttpRequest) -> HttpResponse:
    problem = _("Nothing was deleted: the cache of revocations does not answer. Try again, or revoke the tokens first.")
    messages.error(request, problem)
    return HttpResponseRedirect(request.get_full_path())
