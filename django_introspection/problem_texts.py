"""Sentences for the rules of URIs and names that an entry breaks: forms show them in the language of their reader.

The functions that decide are in `protocol`, which knows no Django. They return the rule in English, for logs, system
checks and commands.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .protocol.identifiers import CHARACTERS, MAX_RESOURCE, PLAIN_HTTP

URL = {
    "must be an https URL": _("The URL must be an https URL."),
    PLAIN_HTTP: _("The URL must be an https URL; plain http is only for loopback addresses."),
    CHARACTERS: _("A URI must not contain spaces, control characters or characters outside of ASCII."),
    "must not contain credentials": _("The URL must not contain credentials."),
    "must not have a query or a fragment": _("The URL must not have a query or a fragment."),
}
"""The rules of `issuer_problem` and `endpoint_problem`; that about characters is one of `resource_problem` too."""
RESOURCE = {
    f"must have at most {MAX_RESOURCE} characters": _("A resource must have at most %(most)d characters."),
    "must be an absolute URI": _("%(value)s must be an absolute URI."),
    "must not have a fragment": _("%(value)s must not have a fragment."),
}
"""The rules of `resource_problem`."""
CERTIFICATE_NAME = {
    "must be an IP address": _("The name must be an IP address."),
    "must be a distinguished name such as CN=shop,O=Example,C=DE (RFC 4514)": _(
        "The name must be a distinguished name such as CN=shop,O=Example,C=DE (RFC 4514)."
    ),
}
"""The rules of `x509.name_problem`."""
_SENTENCES = URL | RESOURCE | CERTIFICATE_NAME


def refusal(problem: str, value: str = "") -> ValidationError:
    """Return the error of a form for the rule that a value breaks; the texts about URLs never repeat the value."""
    params: dict[str, Any] = {"value": value, "most": MAX_RESOURCE}
    return ValidationError(_SENTENCES[problem], params=params)
