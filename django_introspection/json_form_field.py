"""The field of a form for a JSON value that may be missing."""

from __future__ import annotations

from typing import Any

from django import forms


class EmptyIfNone(forms.JSONField):
    """A JSON value; an empty text, and not `null`, stands for none."""

    def prepare_value(self, value: Any) -> Any:
        """Return the text of a value, empty for none."""
        return "" if value is None else super().prepare_value(value)
