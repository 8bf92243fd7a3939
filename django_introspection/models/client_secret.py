"""The secrets of a client; several may be live, so that one can be replaced without downtime."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from .client import Client
from .fields import DigestField, InstantField, now


class ClientSecret(models.Model):
    """A secret, of which only the digest and the last four characters are kept.

    `form_id` names the form that asked for it: the same form sent again finds the column taken and makes no second one.
    """

    client = models.ForeignKey(Client, models.CASCADE, related_name="secrets", verbose_name=_("client"))
    digest = DigestField()
    hint = models.CharField(_("ends with"), max_length=4, editable=False)
    created_at = InstantField(_("created"), default=now, editable=False)
    expires_at = InstantField(_("expires"), null=True, blank=True)
    form_id = models.UUIDField(null=True, unique=True, editable=False)
    last_used_at = InstantField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("client secret")
        verbose_name_plural = _("client secrets")
        constraints = [
            models.UniqueConstraint(fields=["client", "digest"], name="introspection_secret_once"),
        ]
        indexes = (
            models.Index(fields=["digest"], name="introspection_secret_digest"),
        )  # a reported leak names no client

    def __str__(self) -> str:
        return f"…{self.hint}"

    def is_live(self, at: datetime) -> bool:
        """Return whether the secret has not expired at a moment."""
        return self.expires_at is None or at < self.expires_at
