"""The forms on which a person makes and rotates a token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from ..conf import introspection_settings
from ..form_ids import OnceForm
from ..personal_token_setting import DAY
from .models import MAX_DESCRIPTION, MAX_NAME
from .rights import allowed_scopes

GRACES = (
    ("0", _("at once")),
    ("3600", _("in an hour")),
    ("86400", _("in a day")),
    ("604800", _("in a week")),
)
"""When an old value ends, in seconds."""


class Lines(forms.CharField):
    """A text with one value in each line."""

    widget = forms.Textarea

    def clean(self, value: Any) -> list[str]:
        """Return the values."""
        return str(super().clean(value)).split()


class NewTokenForm(OnceForm):
    """The entries of a person for a new token."""

    name = forms.CharField(label=_("Name"), max_length=MAX_NAME, help_text=_("The program that uses the token."))
    description = forms.CharField(
        label=_("Description"), max_length=MAX_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    scope = forms.MultipleChoiceField(
        label=_("Rights"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Give the token no more than its program needs."),
    )
    days = forms.IntegerField(label=_("Valid for days"), min_value=1)
    networks = Lines(
        label=_("Networks"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false"}),
        help_text=_(
            "The addresses from which the token may be sent, one in each line, such as 192.0.2.7 or 192.0.2.0/24. "
            "Empty: from everywhere."
        ),
    )

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        limits = introspection_settings.PERSONAL_TOKENS
        self.fields["scope"].choices = [(name, name) for name in sorted(allowed_scopes(user))]  # type: ignore[attr-defined]  # of this kind of field
        days: Any = self.fields["days"]
        days.initial = max(1, limits.default_lifetime // DAY)
        days.max_value = max(1, limits.max_lifetime // DAY)
        days.widget.attrs["max"] = days.max_value
        days.validators.append(MaxValueValidator(days.max_value))

    def grant(self) -> dict[str, Any]:
        """Return the arguments with which the token is issued."""
        cleaned = self.cleaned_data
        longest = introspection_settings.PERSONAL_TOKENS.max_lifetime
        return {
            **{name: cleaned[name] for name in ("name", "description", "scope", "networks")},
            "lifetime": timedelta(seconds=min(cleaned["days"] * DAY, longest)),
            "token_id": cleaned["form_id"],
        }


class RotationForm(forms.Form):
    """When the old value ends."""

    grace = forms.TypedChoiceField(
        label=_("The old value ends"),
        choices=GRACES,
        initial="0",
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
    )
