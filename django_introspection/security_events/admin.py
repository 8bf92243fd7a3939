"""The admin of streams: their transmitters and receivers, and whether events arrive."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..json_form_field import EmptyIfNone
from .models import ReceivedStream, SentStream, Stream

ONE_LINE = {"class": "vLargeTextField", "dir": "ltr"}
JSON = {"rows": 3, "class": "vLargeTextField", "dir": "ltr", "spellcheck": "false"}
EMPTY = "-"
STATE = ("last_event", "delay", "count", "failures", "last_failed", "last_failure")

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelAdmin = admin.ModelAdmin[Any]
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _ModelForm = forms.ModelForm


class ReceivedStreamForm(_ModelForm):
    """A row of a received stream."""

    class Meta:
        model = ReceivedStream
        fields = (
            *("issuer", "audience", "description", "is_active", "delivery", "jwks_uri", "poll_url"),
            *("authorization", "ends_whole_user"),
        )
        widgets = {
            **{name: forms.TextInput(attrs=ONE_LINE) for name in ("issuer", "audience", "jwks_uri", "poll_url")},
            "authorization": forms.Textarea(attrs=JSON),
        }
        field_classes = {"authorization": EmptyIfNone}


class SentStreamForm(_ModelForm):
    """A row of a sent stream."""

    class Meta:
        model = SentStream
        fields = ("audience", "description", "is_active", "delivery", "endpoint_url", "authorization")
        widgets = {
            **{name: forms.TextInput(attrs=ONE_LINE) for name in ("audience", "endpoint_url")},
            "authorization": forms.Textarea(attrs=JSON),
        }
        field_classes = {"authorization": EmptyIfNone}


class StreamAdmin(_ModelAdmin):
    """Show the moment of the last event, its delay, and the failures."""

    list_filter = ("is_active", "delivery")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the state of a stream; a new one has none."""
        return () if obj is None else super().get_readonly_fields(request, obj)

    @admin.display(description=_("last event"), ordering="last_event_at")
    def last_event(self, row: Stream) -> str:
        """Return when the last event was received or delivered."""
        return _moment(row.last_event_at)

    @admin.display(description=_("delay in seconds"), ordering="last_delay")
    def delay(self, row: Stream) -> int | str:
        """Return how long the last event was under way."""
        return EMPTY if row.last_delay is None else row.last_delay

    @admin.display(description=_("last failure at"))
    def last_failed(self, row: Stream) -> str:
        """Return when an event last failed."""
        return _moment(row.last_failure_at)


@admin.register(ReceivedStream)
class ReceivedStreamAdmin(StreamAdmin):
    """Streams that other servers send."""

    form = ReceivedStreamForm
    list_display = ("issuer", "is_active", "last_event", "delay", "failures", "delivery", "description")
    search_fields = ("issuer", "audience", "description")
    search_help_text = _("Search by issuer, audience or description.")
    readonly_fields = (*STATE, "last_verified", "status")

    @admin.display(description=_("last verified"))
    def last_verified(self, row: ReceivedStream) -> str:
        """Return when the last verification event was received."""
        return _moment(row.last_verified_at)


@admin.register(SentStream)
class SentStreamAdmin(StreamAdmin):
    """Streams that this project sends."""

    form = SentStreamForm
    list_display = (
        *("audience", "is_active", "last_event", "delay", "waiting", "failures"),
        *("delivery", "description"),
    )
    search_fields = ("audience", "description")
    search_help_text = _("Search by audience or description.")
    readonly_fields = ("identifier", *STATE, "waiting")

    @admin.display(description=_("events that wait"))
    def waiting(self, row: SentStream) -> int:
        """Return how many events the receiver has not acknowledged, and will still get."""
        return int(getattr(row, "waiting_events", 0))

    def get_queryset(self, request: HttpRequest) -> QuerySet[SentStream]:
        """Count the events of every stream with the statement that finds the streams."""
        still = Q(events__done_at=None, events__expires_at__gt=int(time.time()))
        streams: QuerySet[SentStream] = super().get_queryset(request)
        return streams.annotate(waiting_events=Count("events", filter=still))


def _moment(seconds: int | None) -> str:
    """Return a moment as HTML: in UTC, as on the pages of tokens, which a resource server without tables has not."""
    if seconds is None:
        return EMPTY
    at = datetime.fromtimestamp(seconds, UTC)
    return format_html('<time datetime="{}" dir="ltr">{} UTC</time>', at.isoformat(), at.strftime("%Y-%m-%d %H:%M"))
