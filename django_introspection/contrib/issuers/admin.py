"""The admin of trusted issuers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ...backends.diagnosis import Severity
from ...exceptions import InvalidSetting
from ...json_form_field import EmptyIfNone
from .changes import announce
from .entry import entry_of
from .models import TrustedIssuer
from .using import routers_or_stand_in

LEVELS = {Severity.OK: messages.SUCCESS, Severity.WARNING: messages.WARNING, Severity.ERROR: messages.ERROR}
MOST_TRIED = 5
"""Issuers that one request tries: each may take some seconds."""
ONE_LINE = {"class": "vLargeTextField", "dir": "ltr"}
JSON = {"rows": 8, "class": "vLargeTextField", "dir": "ltr", "spellcheck": "false"}

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[TrustedIssuer]
    _ModelForm = forms.ModelForm[TrustedIssuer]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm


class TrustedIssuerForm(_ModelForm):
    """A row; it is refused if its issuer could not be used."""

    class Meta:
        model = TrustedIssuer
        fields = ("issuer", "description", "is_active", "backend", "options", "cache")
        widgets = {
            "issuer": forms.TextInput(attrs=ONE_LINE),
            "options": forms.Textarea(attrs=JSON),
            "cache": forms.Textarea(attrs={**JSON, "rows": 3}),
        }
        field_classes = {"cache": EmptyIfNone}

    def clean_options(self) -> Any:
        """Return the options, an empty object for an empty text."""
        return self.cleaned_data["options"] or {}


class TrustedIssuerAdmin(_ModelAdmin):
    """Say which issuers this API trusts, and try them."""

    form = TrustedIssuerForm
    list_display = ("issuer", "description", "backend", "is_active")
    list_filter = ("is_active", "backend")
    search_fields = ("issuer", "description")
    search_help_text = _("Search by issuer or description.")
    actions = ("activate", "deactivate", "try_out")

    def save_model(self, request: HttpRequest, obj: TrustedIssuer, form: Any, change: bool) -> None:
        """Save, and show what is risky in the options."""
        super().save_model(request, obj, form, change)
        if obj.is_active:
            for issuers in routers_or_stand_in():
                backend = issuers.make(obj.issuer, entry_of(obj.backend, obj.options, obj.cache))
                for message in backend.check():
                    self._say(request, obj, message.msg.replace(backend.place, "OPTIONS"), messages.WARNING)
                backend.close()

    @admin.action(description=_("Trust the selected issuers"), permissions=["change"])
    def activate(self, request: HttpRequest, rows: QuerySet[TrustedIssuer]) -> None:
        """Make rows active, those that can be used."""
        for row in rows.filter(is_active=False):
            row.is_active = True
            try:
                row.full_clean()
            except forms.ValidationError as problem:
                self._say(request, row, " ".join(problem.messages), messages.ERROR)
                continue
            row.save(update_fields=["is_active"])
            self.log_change(request, row, [{"changed": {"fields": ["active"]}}])

    @admin.action(description=_("Stop trusting the selected issuers"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[TrustedIssuer]) -> None:
        """Make rows inactive, in one statement."""
        changed = list(rows.filter(is_active=True))
        rows.update(is_active=False)
        announce(using=rows.db)
        for row in changed:
            self.log_change(request, row, [{"changed": {"fields": ["active"]}}])

    @admin.action(description=_("Try the selected issuers"), permissions=["change"])
    def try_out(self, request: HttpRequest, rows: QuerySet[TrustedIssuer]) -> None:
        """Reach the servers of issuers for real, and show the findings."""
        for row in rows[:MOST_TRIED]:
            try:
                backend = routers_or_stand_in()[0].make(row.issuer, entry_of(row.backend, row.options, row.cache))
            except InvalidSetting as problem:
                self._say(request, row, str(problem), messages.ERROR)
                continue
            for finding in backend.diagnose():
                text = " ".join(filter(None, (f"{finding.what}.", finding.mend)))
                self._say(request, row, text, LEVELS[finding.severity])
            backend.close()

    def _say(self, request: HttpRequest, row: TrustedIssuer, text: str, level: int) -> None:
        """Add a message about an issuer; one that began with the issuer would show it with a capital letter."""
        self.message_user(request, _("Issuer %(issuer)s: %(text)s") % {"issuer": row.issuer, "text": text}, level)


admin.site.register(TrustedIssuer, TrustedIssuerAdmin)
