"""A token, of which only the digest is kept."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from ..protocol.answer import Reason
from .client import Client
from .deletion import delete_tokens
from .fields import DigestField, InstantField, now, uuid7
from .managers import TokenManager
from .token_record import TokenRecord, holder_reason, time_reason

MAX_REVOKED_BY = 300
"""Characters: a client ID or a user name of 255, and a word before it."""


class TokenKind(models.TextChoices):
    """The purpose of a token; a token of one kind is never accepted as the other."""

    ACCESS = "access", _("Access token")
    REFRESH = "refresh", _("Refresh token")


class Token(models.Model):
    """A token that was issued here.

    The primary key is also the `jti`, the admin URL and the name in logs. Tokens of one authorization share `grant_id`.
    `members` are further members of the answer (`cnf`, `acr` …): rendered, never queried. `revoked_by` says in words
    which client, user or event ended it, if that is known.

    A refresh token that was used has `rotated_at` beside `revoked_at`; so has one whose answer was replaced within
    REFRESH_GRACE. The tokens that it was exchanged for name it as their `predecessor`, and no later one lives longer
    than `grant_expires_at`.
    """

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid7, editable=False)
    digest = DigestField(unique=True)
    kind = models.CharField(_("kind"), max_length=8, choices=TokenKind)
    client = models.ForeignKey(Client, delete_tokens, related_name="tokens", db_index=False, verbose_name=_("client"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        delete_tokens,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("user"),
    )
    grant_id = models.UUIDField(_("grant"), db_index=True, default=uuid7, editable=False)
    scope = models.TextField(_("scope"), blank=True)
    audience = models.JSONField(_("audience"), default=list, blank=True)
    members = models.JSONField(_("further members"), default=dict, blank=True)
    issued_at = InstantField(_("issued"), default=now)
    not_before = InstantField(_("not before"), null=True, blank=True, db_index=True)
    expires_at = InstantField(_("expires"))
    revoked_at = InstantField(_("revoked"), null=True, blank=True)
    revoked_by = models.CharField(_("revoked by"), max_length=MAX_REVOKED_BY, blank=True, editable=False)
    rotated_at = InstantField(_("used"), null=True, blank=True)
    predecessor = models.ForeignKey(
        "self",
        models.DO_NOTHING,  # or no token could be deleted without being loaded; a purged one is never asked for
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("predecessor"),
    )
    grant_expires_at = InstantField(_("grant expires"), null=True, blank=True)

    objects = TokenManager()

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        permissions = (
            ("issue_token", _("Can issue tokens")),
            ("issue_any_token", _("Can issue tokens beyond the limits of their client")),
            ("revoke_token", _("Can revoke tokens")),
        )
        indexes = (
            models.Index(fields=["client", "id"], name="introspection_token_client"),
            models.Index(fields=["user", "id"], name="introspection_token_user"),
            models.Index(fields=["issued_at", "client"], name="introspection_token_issued_at"),
            models.Index(fields=["expires_at", "client"], name="introspection_token_expires_at"),
            models.Index(fields=["revoked_at", "client"], name="introspection_token_revoked_at"),
        )

    def __str__(self) -> str:
        return str(self.pk)

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Delete the row after writing its tombstone; raises IntrospectionUnavailable, and then the row stays."""
        from ..authorization_server.ending import before_deletion

        using = using or router.db_for_write(Token, instance=self)
        before_deletion(Token.objects.using(using).filter(pk=self.pk))
        return super().delete(using=using, keep_parents=keep_parents)

    def inactive_reason(self, at: datetime) -> Reason | None:
        """Return why the token is inactive at a moment, None if it is active (RFC 7662 §4)."""
        return self.lapse_reason(at) if self.revoked_at is None else Reason.REVOKED

    def record(self) -> TokenRecord:
        """Return what an answer needs of the token."""
        return TokenRecord(
            self.id,
            self.kind,
            self.scope,
            self.audience,
            self.members,
            int(self.issued_at.timestamp()),
            None if self.not_before is None else int(self.not_before.timestamp()),
            int(self.expires_at.timestamp()),
            None if self.revoked_at is None else int(self.revoked_at.timestamp()),
            self.client.client_id,
            self.client.is_active,
            self.user,
        )

    def lapse_reason(self, at: datetime) -> Reason | None:
        """Return why the token is inactive at a moment apart from revocation, None if it is active."""
        return time_reason(self, at) or holder_reason(self.client.is_active, self.user)
