"""The app of personal tokens; it needs the full app beside it."""

from __future__ import annotations

from functools import partial

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PersonalTokensConfig(AppConfig):
    """Install the table, and limit each personal token to the rights that its owner has now."""

    name = "django_introspection.personal_tokens"
    label = "introspection_personal_tokens"
    verbose_name = _("Personal tokens")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the limits, register the checks, and let rows be purged with their tokens."""
        from ..authorization_server.purging import beside_tokens, expired
        from . import checks, rights
        from .models import PersonalToken

        checks.register()
        rights.connect()
        beside_tokens[PersonalToken] = partial(expired, PersonalToken)
