"""What the pages about tokens have in common: who may see them, and what they are rendered with."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

ISSUE = "introspection.issue_token"
REVOKE = "introspection.revoke_token"
VIEW = "introspection.view_token"
_NAMES = {ISSUE: _("Can issue tokens"), REVOKE: _("Can revoke tokens"), VIEW: _("Can view token")}


def page(
    model_admin: ModelAdmin[Any], request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """Render a page of the token admin, on whatever admin site it is registered."""
    site = model_admin.admin_site
    request.current_app = site.name
    context = {**site.each_context(request), "opts": model_admin.opts, "may_view": may_view(request), **context}
    return TemplateResponse(request, f"admin/introspection/token/{name}.html", context, status=status)


def permission_page(model_admin: ModelAdmin[Any], request: HttpRequest, permission: str) -> HttpResponse | None:
    """Return the page that names a permission which is missing, None where it is not."""
    if may_view(request) if permission == VIEW else request.user.has_perm(permission):
        return None
    context = {"title": _("Permission needed"), "permission": permission, "permission_name": _NAMES[permission]}
    return page(model_admin, request, "refused", context, status=403)


def may_view(request: HttpRequest) -> bool:
    """Tell whether somebody may look at tokens, by Django's own rule."""
    return request.user.has_perms([VIEW]) or request.user.has_perm("introspection.change_token")


def url(model_admin: ModelAdmin[Any], name: str, *args: Any) -> str:
    """Return the address of a page of tokens, on the admin site that they are registered on."""
    return reverse(f"{model_admin.admin_site.name}:introspection_token_{name}", args=args)
