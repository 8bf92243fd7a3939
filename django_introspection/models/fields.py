"""Columns that mean the same on every database and under every time setting."""

from __future__ import annotations

import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..jose import KeyProblem
from ..jwe import check_key_set
from ..problem_texts import refusal
from ..protocol.identifiers import endpoint_problem, resource_problem
from ..protocol.scope import parse_scope

if TYPE_CHECKING:  # generic for the type checker alone
    _BinaryField = models.BinaryField[bytes, bytes]
    _Field = models.Field[Any, Any]
else:
    _BinaryField, _Field = models.BinaryField, models.Field


def now() -> datetime:
    """Return this whole second in UTC, independent of USE_TZ and TIME_ZONE."""
    return datetime.now(UTC).replace(microsecond=0)


def uuid7() -> uuid.UUID:
    """Make a time-ordered UUID (RFC 9562 §5.7), so that new rows land at the end of the index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def made_at(value: uuid.UUID) -> float | None:
    """Return when a time-ordered UUID was made, in seconds since the epoch; None for another kind (RFC 9562 §5.7)."""
    return (value.int >> 80) / 1000 if value.version == 7 else None


class DigestField(_BinaryField):
    """A SHA-256 digest in a fixed column of 32 bytes that every database can index."""

    description = _("SHA-256 digest")

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 32, "editable": False, **options})

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return a fixed binary type if the database cannot index a BLOB."""
        fixed = {"mysql": "binary(32)", "oracle": "raw(32)"}
        return fixed.get(connection.vendor) or super().db_type(connection)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> bytes | None:
        """Return bytes, also when a driver returns a memoryview."""
        return None if value is None else bytes(value)


class InstantField(_Field):
    """A moment: seconds since the epoch in the column, an aware datetime in UTC in Python.

    If USE_TZ is off and the zone has daylight saving, a DateTimeField cannot hold one hour a year; these moments decide
    whether a token is active. Responses have whole seconds too (RFC 7662 §2.2: exp, iat, nbf).
    """

    description = _("Moment in UTC")

    def get_internal_type(self) -> str:
        """Be a bigint."""
        return "BigIntegerField"

    def to_python(self, value: Any) -> datetime | None:
        """Read a datetime, its text, or seconds; raises ValidationError."""
        if value is None or value == "":
            return None
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        parsed = value if isinstance(value, datetime) else models.DateTimeField().to_python(value)
        if timezone.is_naive(parsed):
            parsed = timezone.make_aware(parsed, timezone.get_default_timezone())
        return parsed.astimezone(UTC).replace(microsecond=0)

    def get_prep_value(self, value: Any) -> int | None:
        """Return the seconds for the column."""
        moment = self.to_python(super().get_prep_value(value))
        return None if moment is None else int(moment.timestamp())

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> datetime | None:
        """Return the moment of a row."""
        return None if value is None else datetime.fromtimestamp(value, UTC)

    def value_to_string(self, obj: models.Model) -> str:
        """Return the text for a fixture."""
        moment = self.value_from_object(obj)
        return "" if moment is None else moment.isoformat()

    def formfield(self, **options: Any) -> Any:
        """Be entered like any date and time."""
        return super().formfield(**{"form_class": forms.SplitDateTimeField, **options})


def validate_scope(value: str) -> None:
    """Raise ValidationError unless the value is a scope (RFC 6749 §3.3)."""
    try:
        parse_scope(value)
    except ValueError:
        raise ValidationError(
            _("Enter scopes with one space between; quotes and backslashes are not allowed.")
        ) from None


def validate_resources(value: Any) -> None:
    """Raise ValidationError unless the value is a list of resource identifiers (RFC 8707 §2)."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValidationError(_("Enter a list of absolute URIs."))
    for resource in value:
        if problem := resource_problem(resource):
            raise refusal(problem, resource)


def validate_jwks(value: Any) -> None:
    """Raise ValidationError unless the value is a set of public keys that verify or encrypt (RFC 7517 §5)."""
    try:
        check_key_set(value)
    except KeyProblem as problem:
        raise ValidationError(
            _("This is not a set of public keys: %(problem)s."), params={"problem": problem}
        ) from None


def validate_jwks_uri(value: str) -> None:
    """Refuse what is not an https URL (plain http for loopback addresses, which JWKS_HOSTS has to name)."""
    if problem := endpoint_problem(value):
        raise refusal(problem)
