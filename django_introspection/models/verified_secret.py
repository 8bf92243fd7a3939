"""Secrets of other packages' clients that were right once, so that no process has to hash them again."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import DigestField, InstantField


class VerifiedSecret(models.Model):
    """A keyed digest of a secret together with the hash that it was verified against; neither can be read from it."""

    digest = DigestField(unique=True)
    expires_at = InstantField(_("expires"), db_index=True)

    class Meta:
        verbose_name = _("verified secret")
        verbose_name_plural = _("verified secrets")

    def __str__(self) -> str:
        return str(self.pk)
