"""The form of the token debugger: a token as it was copied, the backend of the view, and the caller of the endpoint."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ..authorization_server.client_sources import ClientResult, Rejection, client_by_id
from ..backends.registry import token_backends
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.jwt import MAX_JWT
from ..protocol.scope import parse_scope

MAX_TEXT = 4 * MAX_JWT
"""Characters of a text that a token is looked for in: the longest token, broken into lines that are indented."""
_AROUND = " \"'`\u201c\u201d\u2018\u2019,;<>"
_SCHEME = re.compile(r"(?:authorization ?: ?)?(?:(?:bearer|dpop)(?: |$))?", re.IGNORECASE)


class Caller(NamedTuple):
    """A client of the introspection endpoint, as the operator named it and as the sources know it."""

    client_id: str
    result: ClientResult


class ForgetfulTextarea(forms.Textarea):
    """Take a text and never show it again."""

    def format_value(self, value: Any) -> str | None:
        """Return nothing to fill in."""
        return None


class DebuggerForm(forms.Form):
    """A token, the backend and the scopes of a view, and the caller of the introspection endpoint."""

    token = forms.CharField(
        label=_("Token"),
        strip=False,
        help_text=_("As it was sent: spaces, line breaks, quotes and “Bearer” around it do no harm. It is not stored."),
        widget=ForgetfulTextarea(
            attrs={"rows": 4, "class": "vLargeTextField", "autocomplete": "off", "spellcheck": "false", "dir": "ltr"}
        ),
    )
    backend = forms.ChoiceField(
        label=_("Backend"),
        help_text=_(
            "The backend that the view asks: an alias of the setting BACKENDS. A remote server gets the token."
        ),
    )
    scope = forms.CharField(
        label=_("Scope"),
        required=False,
        help_text=_("The scopes that the view needs, with one space between. Empty: the scope is not checked."),
        widget=forms.TextInput(attrs={"class": "vTextField", "dir": "ltr"}),
    )
    caller = forms.CharField(
        label=_("Caller"),
        required=False,
        max_length=255,
        help_text=_("The client ID of a caller of our introspection endpoint. Empty: the endpoint is not considered."),
        widget=forms.TextInput(attrs={"class": "vTextField", "dir": "ltr"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["backend"].choices = [(alias, alias) for alias in token_backends]  # type: ignore[attr-defined]

    def clean_token(self) -> str:
        """Return the token in what was pasted."""
        text = self.cleaned_data["token"]
        if len(text) > MAX_TEXT:
            raise ValidationError(too_much(len(text)))
        token = token_in(text)
        if not token:
            raise ValidationError(_("There is no token in this text."))
        if len(token) > MAX_JWT:
            raise ValidationError(too_much(len(token)))
        return token

    def clean_scope(self) -> tuple[str, ...]:
        """Return the scopes that the view needs."""
        try:
            return parse_scope(self.cleaned_data["scope"])
        except ValueError:
            raise ValidationError(_("Enter scopes with one space between.")) from None

    def clean_caller(self) -> Caller | None:
        """Find the caller in any source of clients; one that the endpoint does not authenticate is found as well."""
        client_id = self.cleaned_data["caller"]
        if not client_id:
            return None
        try:
            result = client_by_id(client_id)
        except IntrospectionUnavailable:
            raise ValidationError(_("The source of this client does not answer. Try again later.")) from None
        if isinstance(result, Rejection) and result.is_unknown:
            raise ValidationError(_("There is no client with this ID that may call the endpoint."))
        return Caller(client_id, result)


def token_in(text: str) -> str:
    """Return the token in a text that was copied from a header, a file or a terminal.

    Each step reads the text once, so the time grows with its length and no faster.
    """
    text = " ".join(text.split()).strip(_AROUND)
    scheme = _SCHEME.match(text)
    return text[scheme.end() if scheme else 0 :].strip(_AROUND).replace(" ", "")


def too_much(length: int | str) -> str:
    """Return the message about a text that is too long to be a token."""
    text = _("This has %(length)s characters; the longest token has %(most)d. Paste the token alone.")
    return str(text) % {"length": length, "most": MAX_JWT}
