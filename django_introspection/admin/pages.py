"""The frame of the admin's own pages: permissions, addresses, breadcrumbs, and forms in Django's own look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

import django
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import AdminErrorList, AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db import router
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from ..protocol.error_reports import conceal_locals

METHODS = ["GET", "HEAD", "POST"]
PERMISSIONS = {
    "change_client": "Can change client",
    "issue_token": "Can issue tokens",
    "revoke_token": "Can revoke tokens",
    "view_client": "Can view client",
    "view_token": "Can view token",
}
"""The permissions that the pages need, by the names that Django's permission forms show, in English everywhere."""
View = Callable[..., HttpResponse]


def page(
    model_admin: ModelAdmin[Any], request: HttpRequest, name: str, context: Mapping[str, Any], *, status: int = 200
) -> TemplateResponse:
    """Render a page in the frame, on the admin site that the model is registered on."""
    site = model_admin.admin_site
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "has_view_permission": model_admin.has_view_permission(request),
        "breadcrumbs_are_a_list": django.VERSION >= (6, 1),
        "media": model_admin.media,
        **context,
    }
    answer = TemplateResponse(request, f"admin/introspection/{name}.html", context, status=status)
    answer.render()  # not after the view: the report of an error in a template would show what the page shows
    return answer


def form_page(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    name: str,
    form: Any,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> TemplateResponse:
    """Render a page with a form, any form of Django, that the admin draws with its errors."""
    fields = [field.name for field in form.visible_fields()]
    drawn = {
        "form": form,
        "adminform": AdminForm(form, [(None, {"fields": fields})], {}, model_admin=model_admin),
        "errors": AdminErrorList(form, []),
        "media": model_admin.media + form.media,
    }
    return page(model_admin, request, name, {**drawn, **context}, status=status)


def own_page(*permissions: str) -> Callable[[View], View]:
    """Show a page to operators who have the permissions, and name a missing one to the others."""

    def decorate(view: View) -> View:
        @wraps(view)
        @conceal_locals
        def checked(model_admin: ModelAdmin[Any], request: HttpRequest, **arguments: Any) -> HttpResponse:
            vars(request)["sensitive_post_parameters"] = "__ALL__"  # for reports of errors
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)
            refused = refusal(model_admin, request, permissions)
            return refused or view(model_admin, request, **arguments)

        return checked

    return decorate


def object_page(*permissions: str) -> Callable[[View], View]:
    """Hand a page the object that its address names, and check the permissions for this object."""

    def decorate(view: View) -> View:
        @wraps(view)
        @conceal_locals
        def checked(
            model_admin: ModelAdmin[Any], request: HttpRequest, object_id: Any, **arguments: Any
        ) -> HttpResponse:
            vars(request)["sensitive_post_parameters"] = "__ALL__"  # for reports of errors
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)
            obj = _find(model_admin, request, object_id)
            if refused := refusal(model_admin, request, permissions, obj):
                return refused
            return is_gone(model_admin, request) if obj is None else view(model_admin, request, obj, **arguments)

        return checked

    return decorate


def _find(model_admin: ModelAdmin[Any], request: HttpRequest, object_id: Any) -> Any:
    """Return the object as the primary database has it, or None."""
    model = model_admin.model
    objects = model_admin.get_queryset(request).using(router.db_for_write(model))
    try:
        return objects.get(pk=model._meta.pk.to_python(unquote(str(object_id))))
    except (model.DoesNotExist, ValidationError, ValueError):
        return None


def refusal(
    model_admin: ModelAdmin[Any], request: HttpRequest, permissions: tuple[str, ...], obj: Any = None
) -> HttpResponse | None:
    """Return the page that names the first missing permission, or None if the operator has all of them."""
    for permission in permissions:
        if not may(model_admin, request, permission, obj):
            context = {
                "title": _("Permission denied"),
                "permission": f"introspection.{permission}",
                "permission_name": PERMISSIONS[permission],
            }
            return page(model_admin, request, "refused", context, status=403)
    return None


def may(model_admin: ModelAdmin[Any], request: HttpRequest, permission: str, obj: Any = None) -> bool:
    """Return whether the operator has a permission; the model's own admin class decides about its model."""
    action, model = permission.rsplit("_", 1)
    if model == model_admin.opts.model_name and action in ("view", "change"):
        return bool(getattr(model_admin, f"has_{action}_permission")(request, obj))
    return request.user.has_perm(f"introspection.{permission}")


def url_pattern(model_admin: ModelAdmin[Any], route: str, name: str, view: View) -> URLPattern:
    """Return the address of an own page."""
    bound = partial(view, model_admin)
    vars(bound).update(vars(view))  # csrf_exempt, if a view protects itself
    name = f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_{name}"
    return path(route, model_admin.admin_site.admin_view(bound), name=name)


def url(model_admin: ModelAdmin[Any], name: str, *arguments: Any) -> str:
    """Return the address of a page about this model, on the same admin site."""
    opts = model_admin.opts
    name = f"admin:{opts.app_label}_{opts.model_name}_{name}"
    return reverse(name, args=arguments, current_app=model_admin.admin_site.name)


def back(
    model_admin: ModelAdmin[Any], request: HttpRequest, obj: Any = None, level: int = messages.SUCCESS, text: Any = ""
) -> HttpResponse:
    """Redirect to the page of an object or to the list, with a message if there is one."""
    if text:
        messages.add_message(request, level, text)
    if not model_admin.has_view_permission(request, obj):
        return HttpResponseRedirect(reverse("admin:index", current_app=model_admin.admin_site.name))
    return HttpResponseRedirect(
        url(model_admin, "change", obj.pk) if obj is not None else url(model_admin, "changelist")
    )


def is_gone(model_admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Report that the object does not exist any more."""
    text = _("This object does not exist. It may have been deleted. Nothing was changed.")
    return back(model_admin, request, None, messages.WARNING, text)
