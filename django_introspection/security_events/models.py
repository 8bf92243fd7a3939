"""The tables of security events: streams with their transmitters and receivers, events to send, and cut-offs."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..problem_texts import refusal
from ..protocol.errors import IntrospectionUnavailable
from ..protocol.identifiers import endpoint_problem, issuer_problem
from ..secret_references import UnreadableSecret, read_secret, reference_problem

SECRET_PREFIX = "SECURITY_EVENTS_"
"""The beginning of the name of each variable or file that a row may refer to."""


class CutOff(models.Model):
    """A stored cut-off; its name is a digest, so that the row does not show whom it is about. Times are in seconds."""

    name = models.CharField(max_length=64, unique=True)
    issuer = models.CharField(max_length=255)
    kind = models.CharField(max_length=16)
    moment = models.BigIntegerField()
    """A token that was issued in this second or before has ended."""
    expires_at = models.BigIntegerField(db_index=True)
    is_written = models.BooleanField(default=False)
    """Whether the cache got this moment after the row was committed."""

    class Meta:
        default_permissions = ()  # no page shows these rows
        indexes = (models.Index(fields=("is_written", "expires_at"), name="introspection_cut_off_written"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.name[:8]}"


class Writer(models.Model):
    """The random name of this project among those that write cut-offs to one cache: a table of one row."""

    ONLY = 1
    name = models.CharField(max_length=16)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Stream(models.Model):
    """The columns of both kinds of streams (OpenID Shared Signals Framework 1.0). Times are in seconds."""

    authorization = models.JSONField(
        _("authorization"),
        null=True,
        blank=True,
        help_text=_(
            'The value of the Authorization header, by reference: {"ENV": "SECURITY_EVENTS_SHOP"} or '
            '{"FILE": "/run/secrets/security_events_shop"}. Empty: none.'
        ),
    )
    description = models.CharField(_("description"), max_length=255, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    last_event_at = models.BigIntegerField(null=True, editable=False)
    last_delay = models.BigIntegerField(null=True, editable=False)
    """The seconds from the event to its receipt or delivery."""
    count = models.BigIntegerField(_("events"), default=0, editable=False)
    failures = models.BigIntegerField(_("failures"), default=0, editable=False)
    last_failure_at = models.BigIntegerField(null=True, editable=False)
    last_failure = models.CharField(_("last failure"), max_length=255, blank=True, editable=False)

    class Meta:
        abstract = True

    def secret(self) -> str:
        """Return the value of the Authorization header, empty if there is none; raises IntrospectionUnavailable."""
        if self.authorization is None:
            return ""
        try:
            return read_secret(self.authorization, prefix=SECRET_PREFIX)
        except UnreadableSecret as problem:
            raise IntrospectionUnavailable(f"authorization: {problem}") from None

    def clean(self) -> None:
        """Raise ValidationError for an authorization that is no permitted reference."""
        if self.authorization is not None and reference_problem(self.authorization, prefix=SECRET_PREFIX):
            message = _("Name “ENV” or “FILE”, and a variable or file whose name begins with SECURITY_EVENTS_.")
            raise ValidationError({"authorization": message})


class ReceivedStream(Stream):
    """A stream that another server transmits to this project."""

    class Delivery(models.TextChoices):
        """How the events get here."""

        PUSH = "push", _("Push (RFC 8935)")
        POLL = "poll", _("Poll (RFC 8936)")
        LOGOUT = "logout", _("Back-channel logout (OpenID Connect)")

    issuer = models.CharField(
        _("issuer"), max_length=255, help_text=_("The “iss” of its events and of its tokens, character for character.")
    )
    audience = models.CharField(
        _("audience"),
        max_length=255,
        help_text=_("The “aud” of its events; for back-channel logout the ID of the client."),
    )
    delivery = models.CharField(_("delivery"), max_length=16, choices=Delivery, default=Delivery.PUSH)
    jwks_uri = models.CharField(_("key set"), max_length=500, help_text=_("The URL of the public keys of the issuer."))
    poll_url = models.CharField(
        _("address"), max_length=500, blank=True, help_text=_("The URL to poll; empty for another delivery.")
    )
    ends_whole_user = models.BooleanField(
        _("ends all tokens of the user"),
        default=False,
        help_text=_("Choose this if the tokens of the issuer do not name their session in “sid”."),
    )
    last_verified_at = models.BigIntegerField(null=True, editable=False)
    status = models.CharField(_("status"), max_length=32, blank=True, editable=False)
    """The status that the transmitter last announced (SSF 1.0 §8.1.5)."""

    class Meta:
        verbose_name = _("received stream")
        verbose_name_plural = _("received streams")
        ordering = ("issuer", "pk")
        constraints = (
            models.UniqueConstraint(fields=("issuer", "audience", "delivery"), name="introspection_received_stream"),
        )

    def __str__(self) -> str:
        return f"{self.issuer} ({self.delivery})"

    def clean(self) -> None:
        """Raise ValidationError for an address that events or keys may not come from."""
        super().clean()
        if problem := issuer_problem(self.issuer, insecure_http=True):
            raise ValidationError({"issuer": refusal(problem)})
        _require_url("jwks_uri", self.jwks_uri)
        if self.delivery == self.Delivery.POLL or self.poll_url:
            _require_url("poll_url", self.poll_url)


class SentStream(Stream):
    """A stream on which this project sends an event for each token that it ends."""

    class Delivery(models.TextChoices):
        """How the events get to the receiver."""

        PUSH = "push", _("Push (RFC 8935)")
        POLL = "poll", _("Poll (RFC 8936)")

    identifier = models.UUIDField(_("ID of the stream"), default=uuid.uuid4, unique=True, editable=False)
    """The `stream_id` (SSF 1.0 §8.1.1)."""
    audience = models.CharField(_("audience"), max_length=255, help_text=_("The “aud” of its events: the receiver."))
    delivery = models.CharField(_("delivery"), max_length=16, choices=Delivery, default=Delivery.PUSH)
    endpoint_url = models.CharField(
        _("address"), max_length=500, blank=True, help_text=_("The URL to push to; empty for another delivery.")
    )
    next_try_at = models.BigIntegerField(default=0, editable=False)
    """Events are delivered from this moment on: a lease of one process, or the pause after a failure."""
    pause = models.BigIntegerField(default=0, editable=False)
    """The seconds of the last pause, 0 after a success."""

    class Meta:
        verbose_name = _("sent stream")
        verbose_name_plural = _("sent streams")
        ordering = ("audience", "pk")

    def __str__(self) -> str:
        return f"{self.audience} ({self.delivery})"

    def clean(self) -> None:
        """Raise ValidationError for an address that events may not go to, and for a poll without authorization."""
        super().clean()
        if self.delivery == self.Delivery.PUSH or self.endpoint_url:
            _require_url("endpoint_url", self.endpoint_url)
        if self.delivery == self.Delivery.POLL and self.authorization is None:
            raise ValidationError({"authorization": _("A receiver that polls must be authorized.")})


class SentEvent(models.Model):
    """An event that a receiver gets; it is written in the transaction that ends the token. Times are in seconds."""

    stream = models.ForeignKey(SentStream, on_delete=models.CASCADE, related_name="events")
    name = models.CharField(max_length=64)
    """The `jti` of the token that ended, so that its event is written once."""
    jti = models.UUIDField(default=uuid.uuid4, unique=True)
    claims: Any = models.JSONField()
    created_at = models.BigIntegerField()
    expires_at = models.BigIntegerField(db_index=True)
    """The token has expired by then, so that the event is of no use any more."""
    done_at = models.BigIntegerField(null=True)
    """When the receiver acknowledged or refused it."""

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("stream", "name"), name="introspection_sent_event"),)
        indexes = (models.Index(fields=("stream", "done_at", "id"), name="introspection_event_to_send"),)

    def __str__(self) -> str:
        return str(self.jti)


def _require_url(field: str, value: str) -> None:
    if problem := endpoint_problem(value):
        raise ValidationError({field: refusal(problem)})
