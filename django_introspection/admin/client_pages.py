"""The pages of one client that do something: add and retire a secret, disable it, revoke its tokens.

Each asks before it acts, acts once, and says what it did. A secret is shown in the answer that made it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, router, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from ..authorization_server.issuing import add_secret
from ..authorization_server.revoking import revoke_client_tokens
from ..models import Client, ClientSecret, Token, TokenKind
from ..models.fields import now
from ..protocol.errors import IntrospectionUnavailable
from .client_forms import SecretForm, client_id_of_form
from .client_secrets import states_of, used_since
from .client_snippets import SECRET, snippets
from .token_revoking import operator_name

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Client]
else:
    _ModelAdmin = admin.ModelAdmin

PERMISSIONS = {"change": "introspection.change_client", "revoke": "introspection.revoke_token"}
"""What the pages ask for, named as people who give it find it."""
METHODS = ["GET", "HEAD", "POST"]
Page = Callable[..., HttpResponse]


def page_of_client(action: str) -> Callable[[Page], Page]:
    """Hand a page its client, where there still is one and the user has the permission; say what is missing."""

    def decorate(view: Page) -> Page:
        @wraps(view)
        def checked(self: ClientPages, request: HttpRequest, object_id: str, **further: Any) -> HttpResponse:
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)
            client = self.get_object(request, unquote(object_id))
            if client is None:
                return self.is_gone(request)
            if not self.has_view_permission(request, client):
                raise PermissionDenied
            if not getattr(self, f"has_{action}_permission")(request, client):
                return self.render_page(request, client, "refused", status=403, permission=PERMISSIONS[action])
            return view(self, request, client, **further)

        return checked

    return decorate


class ClientPages(_ModelAdmin):
    """Pages beside those that every model has."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages."""
        pages = [
            ("secret/", self.secret_view, "secret"),
            ("secret/<int:secret_id>/retire/", self.retire_view, "retire"),
            ("activity/", self.activity_view, "activity"),
            ("revoke/", self.revoke_view, "revoke"),
        ]
        own = [
            path(f"<path:object_id>/{route}", self.admin_site.admin_view(view), name=f"introspection_client_{name}")
            for route, view, name in pages
        ]
        return [*own, *super().get_urls()]

    def has_revoke_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        """Ask for the permission to revoke tokens."""
        return request.user.has_perm(PERMISSIONS["revoke"])

    @page_of_client("change")
    def secret_view(self, request: HttpRequest, client: Client) -> HttpResponse:
        """Add a secret beside the live ones, and show it."""
        if not client.has_secrets:
            return self.back(
                request, client, messages.WARNING, _("This client authenticates by keys of its own: it has no secrets.")
            )
        form = SecretForm(request.POST if request.method == "POST" else None)
        if request.method != "POST" or not form.is_valid():
            live = [state for state in states_of(client, now()) if state.is_live]
            return self.render_page(request, client, "add_secret", form=form, live=live)
        form_id, lifetime, others = (form.cleaned_data[name] for name in ("form_id", "lifetime", "others"))
        at = now()
        try:
            with transaction.atomic(using=router.db_for_write(Client)):
                page = self.show_new_secret(request, client, form_id, at + lifetime if lifetime else None)
                if others:
                    _end_others(client, form_id, at + others)
                self.log_change(request, client, "Added a secret.")
        except IntegrityError:
            if not Client.objects.with_id(client.client_id).exists():
                return self.is_gone(request)
            if client_of_form(form_id):
                return self.was_sent_already(request, client)
            raise
        return page

    @page_of_client("change")
    def retire_view(self, request: HttpRequest, client: Client, secret_id: int) -> HttpResponse:
        """Retire a secret, after saying whether another one is in use."""
        at = now()
        states = states_of(client, at)
        state = next((state for state in states if state.secret.pk == secret_id), None)
        if state is None or not state.is_live:
            return self.back(
                request, client, messages.WARNING, _("That secret was no longer live. Nothing was changed.")
            )
        secret = state.secret
        if request.method != "POST":
            others = [each for each in states if each.is_live and each.secret.pk != secret.pk]
            latest = used_since(secret, states)
            return self.render_page(request, client, "retire", secret=secret, others=others, used_since=latest)
        with transaction.atomic(using=router.db_for_write(Client)):
            ClientSecret.objects.filter(pk=secret.pk).update(expires_at=at)
            made = secret.created_at.strftime("%Y-%m-%d %H:%M:%S")
            self.log_change(request, client, f"Retired the secret made at {made} UTC.")
        text = _("The secret that ends with %(hint)s is retired: it is refused from now on.") % {"hint": secret.hint}
        return self.back(request, client, messages.SUCCESS, text)

    @page_of_client("change")
    def activity_view(self, request: HttpRequest, client: Client) -> HttpResponse:
        """Disable a client, or enable it again."""
        if request.method != "POST":
            return self.render_page(request, client, "activity", tokens=live_tokens(client))
        wanted = request.POST.get("is_active") == "1"
        with transaction.atomic(using=router.db_for_write(Client)):
            if Client.objects.filter(pk=client.pk, is_active=not wanted).update(is_active=wanted):
                self.log_change(request, client, "Enabled." if wanted else "Disabled.")
        enabled = _("%(client)s is enabled: it can authenticate, and its tokens that have not ended are good again.")
        disabled = _("%(client)s is disabled: it cannot authenticate, and its tokens are inactive.")
        return self.back(request, client, messages.SUCCESS, (enabled if wanted else disabled) % {"client": client})

    @page_of_client("revoke")
    def revoke_view(self, request: HttpRequest, client: Client) -> HttpResponse:
        """Revoke every token of a client, after saying how many there are."""
        tokens = live_tokens(client)
        if request.method != "POST":
            return self.render_page(request, client, "revoke", tokens=tokens)
        all_told = True
        try:
            revoke_client_tokens(client, by=None, who=operator_name(request))
        except IntrospectionUnavailable:
            all_told = False
        self.log_change(request, client, "Revoked all its tokens.")
        if not all_told:
            problem = _("The cache of revocations does not answer: answers that others keep live on. Try again.")
            messages.error(request, problem)
        count = sum(tokens.values())
        text = ngettext("%(count)d token was revoked.", "%(count)d tokens were revoked.", count) % {"count": count}
        return self.back(request, client, messages.SUCCESS, text)

    @sensitive_variables("secret")
    def show_new_secret(
        self, request: HttpRequest, client: Client, form_id: UUID, expires_at: datetime | None = None
    ) -> HttpResponse:
        """Make the secret that a form asks for and show it; IntegrityError where that form has got one."""
        secret = add_secret(client, expires_at=expires_at, form_id=form_id)
        made = snippets(client, request)
        return self.render_page(request, client, "secret", secret=secret, snippets=made, stands_for_it=SECRET)

    def was_sent_already(self, request: HttpRequest, client: Client) -> HttpResponse:
        """Say that a form has done its work."""
        text = _(
            "This form had been sent already. Nothing was made twice, and a secret is shown only once: if it was not "
            "kept, add another and retire it."
        )
        return self.back(request, client, messages.WARNING, text)

    def is_gone(self, request: HttpRequest) -> HttpResponse:
        """Say that there is no such client any more."""
        messages.warning(
            request, _("There is no such client: it may have been deleted meanwhile. Nothing was changed.")
        )
        return HttpResponseRedirect(self.url_of("changelist") if self.has_view_permission(request) else self.index())

    def back(self, request: HttpRequest, client: Client, level: int, text: Any) -> HttpResponse:
        """Go to the page of a client with a message."""
        messages.add_message(request, level, text)
        may_look = self.has_view_permission(request, client)
        return HttpResponseRedirect(self.url_of("change", client.pk) if may_look else self.index())

    def url_of(self, page: str, *arguments: Any) -> str:
        """Return the address of a page of ours on this site."""
        return reverse(f"admin:introspection_client_{page}", args=arguments, current_app=self.admin_site.name)

    def index(self) -> str:
        """Return the address of the site's first page."""
        return reverse("admin:index", current_app=self.admin_site.name)

    def render_page(
        self, request: HttpRequest, client: Client, name: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        """Render a page of ours about a client."""
        request.current_app = self.admin_site.name  # as the pages of Django itself do
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "client": client,
            "has_view_permission": self.has_view_permission(request, client),
            **context,
        }
        return TemplateResponse(request, f"admin/introspection/client/{name}.html", context, status=status)


def client_of_form(form_id: UUID | None) -> Client | None:
    """Return the client that a form has made, or has made a secret for."""
    if form_id is None:
        return None
    made = Q(secrets__form_id=form_id) | Q(client_id=client_id_of_form(form_id))
    return Client.objects.using(router.db_for_write(Client)).filter(made).first()


def live_tokens(client: Client) -> dict[str, int]:
    """Count the tokens of a client that nothing has ended yet, by kind."""
    live = Token.objects.on_primary().filter(client=client, revoked_at=None, expires_at__gt=now())
    return {kind.value: live.filter(kind=kind).count() for kind in TokenKind}


def _end_others(client: Client, form_id: UUID, end: datetime) -> None:
    """Let the other live secrets end, the ones that end earlier excepted."""
    later = Q(expires_at=None) | Q(expires_at__gt=end)
    ClientSecret.objects.filter(later, client=client).exclude(form_id=form_id).update(expires_at=end)
