"""The name, networks and last use of a personal token, beside its row of `Token`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models, router
from django.utils.translation import gettext_lazy as _

from ..models import Token
from ..models.fields import InstantField, now
from ..protocol.error_reports import conceal_locals

if TYPE_CHECKING:  # generic for the type checker alone
    from .issuing import IssuedPersonalToken

    _Manager = models.Manager["PersonalToken"]
else:
    _Manager = models.Manager

MAX_NAME = 100
MAX_DESCRIPTION = 1000
"""Characters."""


class PersonalTokenManager(_Manager):
    """Personal tokens."""

    @conceal_locals
    def issue(self, user: Any, **grant: Any) -> IssuedPersonalToken:
        """Issue a personal token; its value exists in the clear only in what is returned.

        See `personal_tokens.issuing.issue` for the arguments and errors.
        """
        from .issuing import issue

        return issue(user, **grant)

    def of(self, user: Any) -> models.QuerySet[PersonalToken]:
        """Return the personal tokens of a user that are stored, with their rows of `Token`, the newest first."""
        own = self.using(router.db_for_write(self.model)).filter(user=user)
        rows = own.filter(token__user=user).select_related("token")  # a count needs the join as well
        return rows.order_by("-token_id")

    def live(self, user: Any) -> models.QuerySet[PersonalToken]:
        """Return those of `of` that are neither revoked nor expired."""
        return self.of(user).filter(token__revoked_at=None, token__expires_at__gt=now())


class PersonalToken(models.Model):
    """A token that a person made: an ordinary row of `Token`, and the name, networks and last use beside it.

    No foreign key constraint and no cascade leads to the token, so that millions of tokens are deleted by one statement
    as before. A row whose token is gone is in no list; it is purged when the token would have expired (`expires_at`).
    `networks` are those of the member `allowed_networks`; everywhere if there are none. `noticed_days` is the lowest
    threshold at which the owner was notified that the token expires.
    """

    token = models.OneToOneField(
        Token,
        models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="+",
        verbose_name=_("token"),
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=MAX_NAME)
    description = models.TextField(_("description"), blank=True, validators=[MaxLengthValidator(MAX_DESCRIPTION)])
    networks = models.JSONField(_("networks"), default=list, blank=True)
    last_used_at = InstantField(_("last used"), null=True, blank=True)
    rotated_at = InstantField(_("rotated"), null=True, blank=True)
    noticed_days = models.PositiveIntegerField(null=True, blank=True, editable=False)
    expires_at = InstantField(_("expires"), db_index=True)

    objects = PersonalTokenManager()

    class Meta:
        verbose_name = _("personal token")
        verbose_name_plural = _("personal tokens")

    def __str__(self) -> str:
        return self.name

    def is_live(self, at: datetime) -> bool:
        """Return whether the token is neither revoked nor expired at a moment."""
        return self.token.revoked_at is None and at < self.token.expires_at
