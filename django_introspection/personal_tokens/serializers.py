"""The JSON that the API of personal tokens reads and writes."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from ..protocol.networks import MAX_NETWORKS
from ..protocol.scope import parse_scope
from .models import MAX_DESCRIPTION, MAX_NAME, PersonalToken

if TYPE_CHECKING:  # generic for the type checker alone
    _Serializer = serializers.Serializer[PersonalToken]
else:
    _Serializer = serializers.Serializer

MAX_GRACE = 7 * 24 * 60 * 60
"""The most seconds for which an old value may stay valid after a rotation."""


def _moment(help_text: str, source: str | None = None) -> serializers.DateTimeField:
    return serializers.DateTimeField(
        source=source, read_only=True, allow_null=True, default_timezone=UTC, help_text=help_text
    )


class Scope(serializers.CharField):
    """Scope tokens with one space between (RFC 6749 §3.3)."""

    def to_internal_value(self, data: Any) -> str:
        """Return the scope; raises ValidationError if it is malformed."""
        text: str = super().to_internal_value(data)
        try:
            parse_scope(text)
        except ValueError:
            raise serializers.ValidationError("This is not a scope (RFC 6749 §3.3).") from None
        return text


class PersonalTokenSerializer(_Serializer):
    """A personal token without its value."""

    id = serializers.UUIDField(source="pk", read_only=True, help_text="The `jti` of the token.")
    name = serializers.CharField(max_length=MAX_NAME, help_text="The program that uses the token.")
    description = serializers.CharField(max_length=MAX_DESCRIPTION, allow_blank=True, required=False, default="")
    scope = Scope(
        source="token.scope",
        allow_blank=True,
        required=False,
        default="",
        help_text="Scope tokens with one space between.",
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MAX_NETWORKS,
        required=False,
        default=list,
        help_text="Addresses and networks from which it may be sent; everywhere if there are none.",
    )
    created_at = _moment("When it was made.", "token.issued_at")
    expires_at = _moment("When it expires.", "token.expires_at")
    last_used_at = _moment("When it was last used, to within five minutes; null if never.")
    rotated_at = _moment("When another token took its place, if it still has a grace.")


class NewTokenSerializer(PersonalTokenSerializer):
    """A new token, and its value in the answer alone."""

    lifetime = serializers.IntegerField(
        min_value=1, required=False, write_only=True, help_text="Seconds; by default those of the server."
    )
    token = serializers.CharField(read_only=True, help_text="The value, which is never shown again.")

    def grant(self) -> dict[str, Any]:
        """Return the arguments with which the token is issued."""
        data = self.validated_data
        lifetime = data.get("lifetime")
        return {
            "name": data["name"],
            "description": data["description"],
            "scope": data["token"]["scope"].split(),
            "networks": data["networks"],
            "lifetime": None if lifetime is None else timedelta(seconds=min(lifetime, _MOST_SECONDS)),
        }


class RotationSerializer(PersonalTokenSerializer):
    """A rotation, and the new value in the answer alone."""

    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    scope = Scope(source="token.scope", read_only=True)
    networks = serializers.ListField(child=serializers.CharField(), read_only=True)
    grace = serializers.IntegerField(
        min_value=0,
        max_value=MAX_GRACE,
        default=0,
        write_only=True,
        help_text="Seconds for which the old value stays valid.",
    )
    token = serializers.CharField(read_only=True, help_text="The new value, which is never shown again.")


_MOST_SECONDS = 10**9
"""More than any lifetime, and few enough for a timedelta."""
