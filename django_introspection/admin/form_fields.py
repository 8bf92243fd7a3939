"""Form fields of the admin pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.core.serializers import serialize
from django.utils.translation import gettext_lazy as _

from ..models import Client
from ..protocol.opaque import digest

ONE_LINE = {"class": "vTextField introspection-entry", "dir": "ltr"}
SEVERAL_LINES = {"rows": 3, "class": "vLargeTextField introspection-entry", "dir": "ltr"}


class LinesField(forms.CharField):
    """A list of strings, one on each line."""

    widget = forms.Textarea(attrs=SEVERAL_LINES)

    def prepare_value(self, value: Any) -> Any:
        """Return the lines of a list."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the lines that are not empty, without repetitions."""
        lines = (line.strip() for line in super().clean(value).splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, so that the history names the field only if it was changed."""
        return bool((initial or []) != self.clean(data))


class KeysField(forms.JSONField):
    """A JWK Set; an empty text means no keys."""

    widget = forms.Textarea(attrs={**SEVERAL_LINES, "rows": 6, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Return the text of the keys, empty if there are none."""
        return "" if value in (None, {}) else super().prepare_value(value)

    def clean(self, value: Any) -> Any:
        """Return the keys, or an empty object."""
        return super().clean(value) or {}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Treat an empty text and an empty object alike."""
        return super().has_changed(initial or {}, data or "{}")


class LookUp(AutocompleteSelect):
    """Django's autocomplete, made robust.

    Django's own raises an exception when a form sends anything but a primary key, and has no accessible name while it
    is empty.
    """

    def build_attrs(self, base_attrs: Any, extra_attrs: Any = None) -> Any:
        """Add a placeholder, which is also the accessible name."""
        return {**super().build_attrs(base_attrs, extra_attrs), "data-placeholder": str(_("Search…"))}

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        """Return the chosen object, or nothing for a value that cannot be a key."""
        return super().optgroups(name, [each for each in value if self._is_key(each)], attrs)

    def _is_key(self, value: Any) -> bool:
        try:
            self.field.remote_field.model._meta.pk.to_python(value)
        except ValidationError:
            return False
        return True


class SeenField(forms.CharField):
    """A fingerprint of the client as the form showed it, so that no unseen change is overwritten."""

    widget = forms.HiddenInput

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return the fingerprint of the present state: sent again, the form overwrites it knowingly."""
        return initial

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return False: the fingerprint is not part of the client."""
        return False


def fingerprint(client: Client) -> str:
    """Return a digest of every field of a client."""
    return digest(serialize("json", [client])).hex()
