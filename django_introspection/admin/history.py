"""The history of an object, which is stored in English, in the words of the reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = ModelAdmin[Any]
else:
    _ModelAdmin = object

ADDED_SECRET = gettext_noop("Added a secret.")
DISABLED = gettext_noop("Disabled.")
ENABLED = gettext_noop("Enabled.")
ISSUED = gettext_noop("Issued.")
RETIRED_SECRET = gettext_noop("Retired the secret made at %(moment)s UTC.")
REVOKED = gettext_noop("Revoked.")
REVOKED_OF_CLIENT = gettext_noop("Revoked all its tokens.")
REVOKED_OF_USER = gettext_noop("Revoked all tokens of this user.")
_RETIRED = re.compile(re.escape(RETIRED_SECRET).replace(re.escape("%(moment)s"), "(?P<moment>[0-9 :-]+)"))
_WHOLE = {ADDED_SECRET, DISABLED, ENABLED, ISSUED, REVOKED, REVOKED_OF_CLIENT, REVOKED_OF_USER}


def in_words(message: str) -> str:
    """Return a message of ours in the language of the reader, and any other as it is."""
    if retired := _RETIRED.fullmatch(message):
        return gettext(RETIRED_SECRET) % retired.groupdict()
    return gettext(message) if message in _WHOLE else message


class TranslatedHistory(_ModelAdmin):
    """Show the messages of this app in the language of the reader; Django does so with its own."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Translate the entries of the page that is shown."""
        response = super().history_view(request, object_id, extra_context)
        for entry in (getattr(response, "context_data", None) or {}).get("action_list", ()):
            entry.change_message = in_words(entry.change_message)
        return response
