"""A registered client (RFC 7591 §2 names)."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..conf import introspection_settings
from ..jose import has_verification_key
from ..jwe import encryption_key
from ..protocol.jwt import CONTENT_ALGORITHMS, ENCRYPTION_ALGORITHMS, SIGNING_ALGORITHMS
from .certificates import CertificateNameKind, check_certificates, check_name, validate_thumbprints
from .fields import InstantField, now, validate_jwks, validate_jwks_uri, validate_resources, validate_scope
from .managers import ClientManager


class AuthMethod(models.TextChoices):
    """How a client authenticates at our endpoints (RFC 7591 §2)."""

    BASIC = "client_secret_basic", _("Secret in the Authorization header (client_secret_basic)")
    POST = "client_secret_post", _("Secret in the request body (client_secret_post)")
    PRIVATE_KEY_JWT = "private_key_jwt", _("Signed by a key of its own (private_key_jwt)")
    TLS = "tls_client_auth", _("TLS certificate with a known name (tls_client_auth)")
    SELF_SIGNED_TLS = "self_signed_tls_client_auth", _("Registered TLS certificate (self_signed_tls_client_auth)")
    ELSEWHERE = "elsewhere", _("By another source of CLIENT_SOURCES; this row says what it may introspect")


class AccessTokenFormat(models.TextChoices):
    """The format of the access tokens of a client."""

    OPAQUE = "opaque", _("A random value (opaque)")
    JWT = "jwt", _("A signed JWT that names its contents (jwt)")


class GrantType(models.TextChoices):
    """The grants that a client may exchange for a token (RFC 7591 §2)."""

    CLIENT_CREDENTIALS = "client_credentials", _("Its own credentials (client_credentials)")
    REFRESH_TOKEN = "refresh_token", _("A refresh token (refresh_token)")
    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange", _("A token of another client (token-exchange)")


class IntrospectionPolicy(models.TextChoices):
    """The tokens that a client may introspect; each value includes the ones above it."""

    NONE = "none", _("No tokens")
    OWN = "own", _("Its own tokens")
    AUDIENCE = "audience", _("Its own, and access tokens for the resources it serves")
    ANY = "any", _("Its own, and every access token")


def validate_grant_types(value: Any) -> None:
    """Raise ValidationError unless the value is a list of grant types that this server supports."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item in GrantType.values for item in value):
        raise ValidationError(_("Choose from the grant types of this server."))


def validate_details_types(value: Any) -> None:
    """Raise ValidationError unless the value is a list of types of AUTHORIZATION_DETAILS_TYPES."""
    known = introspection_settings.AUTHORIZATION_DETAILS_TYPES
    if not isinstance(value, list) or not all(isinstance(item, str) and item in known for item in value):
        raise ValidationError(_("Choose from the types of the setting AUTHORIZATION_DETAILS_TYPES."))


def generate_client_id() -> str:
    """Make a client identifier that cannot be taken for the primary key of a user (RFC 9700 §4.15)."""
    return f"client-{secrets.token_hex(8)}"


def validate_members(value: Any) -> None:
    """Raise ValidationError unless the value is a list of member names."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValidationError(_("Enter a list of member names."))


class Client(models.Model):
    """A program known to this authorization server.

    A row with the authentication method `elsewhere` holds the introspection policy of a client of another source.
    `source_key` names that client, so that the row is never taken for a later client with the same identifier.

    The scope and resources that it *may ask for* (`scope`, `allowed_resources`) are apart from those that it *serves*
    (`resources`, `resource_scopes`); what it may introspect follows from the latter alone.
    """

    client_id = models.CharField(
        _("client ID"),
        max_length=255,
        unique=True,
        default=generate_client_id,
        validators=[
            RegexValidator(r"^[\x21-\x7e]+\Z", _("Use visible ASCII characters without spaces.")),
            RegexValidator(r"^[0-9]+\Z", _("Digits alone could be taken for the ID of a user."), inverse_match=True),
        ],
    )
    client_name = models.CharField(_("name"), max_length=255)
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Unticked: it cannot authenticate and its tokens are inactive."),
    )
    token_endpoint_auth_method = models.CharField(
        _("authentication method"), max_length=32, choices=AuthMethod, default=AuthMethod.BASIC
    )
    jwks = models.JSONField(
        _("public keys"),
        default=dict,
        blank=True,
        validators=[validate_jwks],
        help_text=_("Its public keys as a JWK Set, for private_key_jwt."),
    )
    jwks_uri = models.CharField(
        _("address of its public keys"),
        max_length=512,
        blank=True,
        validators=[validate_jwks_uri],
        help_text=_("The https URL of its JWK Set, instead of the keys themselves."),
    )
    grant_types = models.JSONField(_("grant types"), default=list, blank=True, validators=[validate_grant_types])
    scope = models.TextField(
        _("scope"),
        blank=True,
        validators=[validate_scope],
        help_text=_("Scopes that it may ask for, with one space between."),
    )
    allowed_resources = models.JSONField(
        _("allowed resources"),
        default=list,
        blank=True,
        validators=[validate_resources],
        help_text=_("Resources that it may ask tokens for: absolute URIs."),
    )
    authorization_details_types = models.JSONField(
        _("types of authorization details"),
        default=list,
        blank=True,
        validators=[validate_details_types],
        help_text=_("Types of authorization details that it may ask for."),
    )
    may_impersonate = models.BooleanField(
        _("may impersonate"),
        default=False,
        help_text=_("A token exchange without an actor token gets a token that does not name it as the actor."),
    )
    access_token_lifetime = models.PositiveIntegerField(
        _("lifetime of access tokens"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Seconds, if shorter than the setting."),
    )
    refresh_token_lifetime = models.PositiveIntegerField(
        _("lifetime of refresh tokens"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Seconds from the first to the last refresh token, if shorter than the setting."),
    )
    resources = models.JSONField(
        _("resources served"),
        default=list,
        blank=True,
        validators=[validate_resources],
        help_text=_("Resources that it serves, as they stand in the audience of a token: absolute URIs."),
    )
    resource_scopes = models.TextField(
        _("scopes served"),
        blank=True,
        validators=[validate_scope],
        help_text=_("Scopes that mean something to the resources it serves."),
    )
    introspection_policy = models.CharField(
        _("may introspect"),
        max_length=16,
        choices=IntrospectionPolicy,
        default=IntrospectionPolicy.OWN,
        help_text=_("Refresh tokens are only ever described to the client that holds them."),
    )
    filter_scope = models.BooleanField(
        _("filter scope"),
        default=True,
        help_text=_("Return only the scopes that it serves, if it names any. Its own tokens are not filtered."),
    )
    visible_members = models.JSONField(
        _("visible members"),
        default=list,
        blank=True,
        validators=[validate_members],
        help_text=_("Members of other clients' tokens that it gets: all if none is named. It always gets active."),
    )
    access_token_format = models.CharField(
        _("format of its access tokens"),
        max_length=8,
        choices=AccessTokenFormat,
        default=AccessTokenFormat.OPAQUE,
        help_text=_("Every holder of a JWT can read it. A JWT needs ISSUER, SIGNING_KEYS and a resource."),
    )
    certificate_name_kind = models.CharField(
        _("kind of the name in its certificate"), max_length=32, choices=CertificateNameKind, blank=True
    )
    certificate_name = models.CharField(
        _("name in its certificate"),
        max_length=512,
        blank=True,
        help_text=_("The one name by which its certificate is recognized, for tls_client_auth."),
    )
    certificate_thumbprints = models.JSONField(
        _("thumbprints of its certificates"),
        default=list,
        blank=True,
        validators=[validate_thumbprints],
        help_text=_("SHA-256 thumbprints in base64url (x5t#S256), for self_signed_tls_client_auth."),
    )
    tls_client_certificate_bound_access_tokens = models.BooleanField(
        _("certificate only"),
        default=False,
        help_text=_("It gets tokens only with a TLS certificate, and each is bound to this certificate."),
    )
    dpop_bound_access_tokens = models.BooleanField(
        _("DPoP only"),
        default=False,
        help_text=_("It gets tokens only with a DPoP proof, and each is bound to the key of the proof."),
    )
    introspection_signed_response_alg = models.CharField(
        _("signature of introspection responses"),
        max_length=16,
        blank=True,
        choices=[(name, name) for name in SIGNING_ALGORITHMS],
        help_text=_("The algorithm that signs the responses to this client. SIGNING_KEYS needs a key for it."),
    )
    introspection_encrypted_response_alg = models.CharField(
        _("encryption of introspection responses"),
        max_length=16,
        blank=True,
        choices=[(name, name) for name in ENCRYPTION_ALGORITHMS],
        help_text=_("The algorithm that encrypts the responses to this client, for one of its public keys."),
    )
    introspection_encrypted_response_enc = models.CharField(
        _("encryption of their content"),
        max_length=16,
        blank=True,
        choices=[(name, name) for name in CONTENT_ALGORITHMS],
        help_text=_("A128CBC-HS256 if none is chosen."),
    )
    source_key = models.CharField(max_length=255, blank=True, editable=False)
    created_at = InstantField(_("created"), default=now, editable=False)

    objects = ClientManager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")

    def __str__(self) -> str:
        return self.client_name

    @property
    def has_secrets(self) -> bool:
        """Whether it authenticates by a secret."""
        return self.token_endpoint_auth_method in (AuthMethod.BASIC, AuthMethod.POST)

    def clean(self) -> None:
        """Refuse two places for its keys (RFC 7591 §2), none if it authenticates by them, and a row for no client."""
        super().clean()
        self._bind_to_source()
        self._require_encryption_key()
        if self.jwks and self.jwks_uri:
            raise ValidationError({"jwks_uri": _("Give the keys or their address, not both.")})
        if self.token_endpoint_auth_method == AuthMethod.PRIVATE_KEY_JWT and not (
            self.jwks_uri or has_verification_key(self.jwks)
        ):
            raise ValidationError({"jwks": _("Authentication by private_key_jwt needs public keys or their address.")})
        if self.token_endpoint_auth_method == AuthMethod.TLS:
            check_name(self)
        if self.token_endpoint_auth_method == AuthMethod.SELF_SIGNED_TLS:
            check_certificates(self)

    def _require_encryption_key(self) -> None:
        """Refuse encryption without a key that the client has given (RFC 9701 §6)."""
        algorithm = self.introspection_encrypted_response_alg
        if self.introspection_encrypted_response_enc and not algorithm:
            text = _("Choose how the key of the content is encrypted as well.")
            raise ValidationError({"introspection_encrypted_response_alg": text})
        if algorithm and encryption_key(self.jwks, algorithm) is None:
            text = _("The public keys of the client have none for this algorithm.")
            raise ValidationError({"introspection_encrypted_response_alg": text})

    def _bind_to_source(self) -> None:
        """Name the client of another source that this row is for; raises ValidationError if it is gone or replaced."""
        if self.token_endpoint_auth_method != AuthMethod.ELSEWHERE:
            self.source_key = ""
            return
        from ..authorization_server.client_sources import source_key

        key = source_key(self.client_id)
        if key is None:
            raise ValidationError(_("No source of CLIENT_SOURCES has a client with this identifier."))
        if self.source_key not in ("", key):
            text = _("Another client has this identifier now. Delete this row, and add one for that client.")
            raise ValidationError(text)
        self.source_key = key
