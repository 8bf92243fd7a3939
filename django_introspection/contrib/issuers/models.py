"""The table of trusted issuers."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from ...backends.issuers import MAX_ISSUER
from ...exceptions import InvalidSetting
from ...problem_texts import refusal
from ...protocol.identifiers import issuer_problem, normal_resource
from .entry import entry_of, options_problem
from .using import routers_or_stand_in


class TrustedIssuer(models.Model):
    """An issuer whose tokens this API accepts while the row is active, and how they are checked.

    The options hold no secrets: those are references to variables of the environment or to files.
    """

    class Backend(models.TextChoices):
        """The way in which the tokens of an issuer are checked."""

        JWT = "jwt", _("JWT, verified with the keys of the issuer")
        REMOTE = "remote", _("JWT, introspected at the authorization server")

    issuer = models.CharField(
        _("issuer"),
        max_length=MAX_ISSUER,
        unique=True,
        help_text=_("The “iss” of its tokens, character for character; an https URL."),
    )
    backend = models.CharField(_("backend"), max_length=16, choices=Backend, default=Backend.JWT)
    options = models.JSONField(
        _("options"),
        default=dict,
        blank=True,
        help_text=_(
            "The OPTIONS of the backend as a JSON object, without “issuer”. A secret is a reference such as "
            '{"ENV": "TRUSTED_ISSUER_SHOP"} or {"FILE": "/run/secrets/trusted_issuer_shop"}.'
        ),
    )
    cache = models.JSONField(
        _("cache"),
        null=True,
        blank=True,
        help_text=_('The CACHE of an introspected issuer, for example {"MAX_AGE": 60}. Empty: no answers are kept.'),
    )
    description = models.CharField(_("description"), max_length=255, blank=True)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Tokens of an issuer that is not active are rejected.")
    )

    class Meta:
        verbose_name = _("trusted issuer")
        verbose_name_plural = _("trusted issuers")
        ordering = ("issuer",)

    def __str__(self) -> str:
        return self.issuer

    def clean(self) -> None:
        """Raise ValidationError unless the row can be used as it is; an inactive one must only hold no secret."""
        if problem := options_problem(self.options):
            raise ValidationError({"options": problem})
        if not self.is_active:
            return
        if problem := issuer_problem(self.issuer, insecure_http=True):
            raise ValidationError({"issuer": refusal(problem)})
        self._require_one_spelling()
        try:
            for router in routers_or_stand_in():
                router.make(self.issuer, entry_of(self.backend, self.options, self.cache)).close()
        except InvalidSetting as problem:
            raise ValidationError(str(problem)) from None

    def _require_one_spelling(self) -> None:
        """Raise ValidationError if another row has the same issuer in another spelling, which a person takes for it."""
        others: Any = type(self)._default_manager.exclude(pk=self.pk).values_list("issuer", flat=True)
        for other in others.iterator():
            if other != self.issuer and _spelling(other) == _spelling(self.issuer):
                message = _("The issuer %(issuer)s has a row already, in another spelling.") % {"issuer": other}
                raise ValidationError({"issuer": message})


def _spelling(issuer: str) -> str:
    return normal_resource(issuer).rstrip("/").casefold()
