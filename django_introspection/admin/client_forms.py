"""The forms of the admin of clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect
from django.db import router
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..authorization_server.jwt_access_tokens import can_sign_jwt
from ..authorization_server.purposes import Purpose
from ..keys import signing_key
from ..models import AccessTokenFormat, Client, GrantType, IntrospectionPolicy
from .form_fields import ONE_LINE, KeysField, LinesField, SeenField, fingerprint
from .once import OnceForm

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelForm = forms.ModelForm[Client]
else:
    _ModelForm = forms.ModelForm

RESOURCES_SERVED = _(
    "The identifiers of the API, one on each line: absolute URIs, as in the audience (aud) of tokens for this API. "
    "Usually its address, such as https://api.example.com/orders."
)
SCOPES_SERVED = _(
    "The scopes that the API understands, separated by spaces. Introspection returns only these to the API. "
    "If empty, it returns all scopes."
)
SCOPES_ASKED = _(
    "The scopes that the client may request, separated by spaces, such as orders:read orders:write. A request without "
    "a scope gets all of them."
)
RESOURCES_ASKED = _(
    "The APIs that the client may request tokens for, one on each line: the resources that these APIs serve."
)
DETAILS_ASKED = _("The types of authorization details that the client may request, one on each line (RFC 9396).")
KEYS = _("A JWK Set with the public keys of the client: they verify its signatures, or encrypt for it.")
PRINTS = _(
    "The SHA-256 thumbprints of its certificates in base64url (x5t#S256), one on each line, for "
    "self_signed_tls_client_auth."
)
MODEL_WIDGETS = {
    "certificate_name": forms.TextInput(attrs=ONE_LINE),
    "jwks_uri": forms.TextInput(attrs=ONE_LINE),
    "scope": forms.TextInput(attrs=ONE_LINE),
    "resource_scopes": forms.TextInput(attrs=ONE_LINE),
}


def client_id_of_form(form_id: UUID) -> str:
    """Return the client ID that a form generates: sent again, the form finds it taken."""
    return f"client-{form_id.hex[16:]}"


def client_of_form(form_id: UUID | None) -> Client | None:
    """Return the client that a form has registered or made a secret for, or None."""
    if form_id is None:
        return None
    made = Q(secrets__form_id=form_id) | Q(client_id=client_id_of_form(form_id))
    return Client.objects.using(router.db_for_write(Client)).filter(made).first()


class AddClientForm(OnceForm, _ModelForm):
    """The few fields that a new client needs; the others follow from its purpose."""

    purpose = forms.ChoiceField(
        label=_("Purpose"),
        choices=Purpose.choices,
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        initial=Purpose.RESOURCE_SERVER,
        help_text=_(
            "A resource server introspects the tokens for its resources, and gets no tokens. A machine client gets "
            "tokens for its own credentials. All of this can be changed later."
        ),
    )
    resources = LinesField(label=_("Resources served"), required=False, help_text=RESOURCES_SERVED)
    allowed_resources = LinesField(label=_("Allowed resources"), required=False, help_text=RESOURCES_ASKED)
    jwks = KeysField(label=_("Public keys"), required=False, help_text=KEYS)
    certificate_thumbprints = LinesField(label=_("Thumbprints of its certificates"), required=False, help_text=PRINTS)
    client_id = forms.CharField(
        label=_("Client ID"),
        required=False,
        max_length=255,
        help_text=_("If empty, a random one is generated. It is not secret, and cannot be changed later."),
        widget=forms.TextInput(attrs=ONE_LINE),
    )

    class Media:
        css = {"all": ["introspection/admin.css"]}
        js = ("introspection/once.js",)

    class Meta:
        model = Client
        fields = (
            "client_name",
            "resources",
            "resource_scopes",
            "scope",
            "allowed_resources",
            "client_id",
            "token_endpoint_auth_method",
            "jwks",
            "jwks_uri",
            "certificate_name_kind",
            "certificate_name",
            "certificate_thumbprints",
        )
        widgets = MODEL_WIDGETS
        help_texts = {"scope": SCOPES_ASKED, "resource_scopes": SCOPES_SERVED}

    def clean(self) -> dict[str, Any]:
        """Leave out what the purpose does not need, and fill in what follows from it."""
        cleaned = super().clean()
        if cleaned.get("form_id") and not cleaned.get("client_id", "-"):
            cleaned["client_id"] = client_id_of_form(cleaned["form_id"])
        if "purpose" not in cleaned:
            return cleaned
        purpose = Purpose(cleaned["purpose"])
        if not purpose.serves:
            self._leave_out("resources", "resource_scopes")
        elif not cleaned.get("resources") and "resources" not in self.errors:
            self.add_error("resources", _("Enter the resource that it serves, or choose another purpose."))
        if not purpose.asks:
            self._leave_out("scope", "allowed_resources")
        self.instance.grant_types = purpose.grant_types
        self.instance.introspection_policy = purpose.introspection_policy
        return cleaned

    def _leave_out(self, *names: str) -> None:
        for name in names:
            self.cleaned_data[name] = self.fields[name].clean("")
            self.errors.pop(name, None)


class ClientForm(_ModelForm):
    """The metadata of a client, with lists as lines and check boxes."""

    grant_types = forms.MultipleChoiceField(
        label=_("Grant types"),
        choices=GrantType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "radiolist"}),
        help_text=_("The ways to get a token. A resource server without tokens of its own has none."),
    )
    allowed_resources = LinesField(label=_("Allowed resources"), required=False, help_text=RESOURCES_ASKED)
    authorization_details_types = LinesField(
        label=_("Types of authorization details"), required=False, help_text=DETAILS_ASKED
    )
    resources = LinesField(label=_("Resources served"), required=False, help_text=RESOURCES_SERVED)
    jwks = KeysField(label=_("Public keys"), required=False, help_text=KEYS)
    certificate_thumbprints = LinesField(label=_("Thumbprints of its certificates"), required=False, help_text=PRINTS)
    seen = SeenField(required=False)
    visible_members = LinesField(
        label=_("Visible members"),
        required=False,
        help_text=_(
            "Members of the answer about tokens of other clients, one on each line. If empty, all of them. The member "
            "active is always returned. A resource server usually needs token_type, scope, aud, iss, sub, client_id, "
            "exp and cnf."
        ),
    )

    class Media:
        css = {"all": ["introspection/admin.css"]}

    class Meta:
        model = Client
        fields = (
            "client_name",
            "is_active",
            "token_endpoint_auth_method",
            "jwks",
            "jwks_uri",
            "grant_types",
            "scope",
            "allowed_resources",
            "authorization_details_types",
            "may_impersonate",
            "access_token_lifetime",
            "refresh_token_lifetime",
            "resources",
            "resource_scopes",
            "introspection_policy",
            "filter_scope",
            "visible_members",
            "introspection_signed_response_alg",
            "introspection_encrypted_response_alg",
            "introspection_encrypted_response_enc",
            "access_token_format",
            "dpop_bound_access_tokens",
            "certificate_name_kind",
            "certificate_name",
            "certificate_thumbprints",
            "tls_client_certificate_bound_access_tokens",
        )
        widgets = MODEL_WIDGETS
        help_texts = {
            "scope": SCOPES_ASKED,
            "resource_scopes": SCOPES_SERVED,
            "introspection_policy": _(
                "Each choice includes the ones above it. To this client, any other token is inactive. A refresh token "
                "is described only to the client that holds it. Choose every access token only for a gateway: it "
                "learns about the users of every API."
            ),
        }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.initial["seen"] = fingerprint(self.instance)

    def clean_seen(self) -> Any:
        """Refuse to overwrite a change that the operator has not seen."""
        if self.cleaned_data["seen"] not in ("", self.initial["seen"]):
            changed_meanwhile = _(
                "This client was changed after you opened the form; its history shows by whom. Nothing was saved, and "
                "your entries are still here. Compare them, then save again to overwrite the other changes."
            )
            self.add_error(None, changed_meanwhile)
        return ""

    def clean(self) -> dict[str, Any]:
        """Refuse choices that need another choice, and name it."""
        cleaned = super().clean() or self.cleaned_data
        by_audience = cleaned.get("introspection_policy") == IntrospectionPolicy.AUDIENCE
        if by_audience and not cleaned.get("resources") and "resources" not in self.errors:
            self.add_error(
                "introspection_policy",
                _("This client serves no resources. Enter them under “Resources served”, or choose “Its own tokens”."),
            )
        wants_jwt = cleaned.get("access_token_format") == AccessTokenFormat.JWT
        if wants_jwt and "access_token_format" in self.changed_data and not can_sign_jwt():
            self.add_error(
                "access_token_format",
                _("This server cannot sign tokens. Set ISSUER and SIGNING_KEYS first, or choose opaque."),
            )
        algorithm = cleaned.get("introspection_signed_response_alg")
        if algorithm and "introspection_signed_response_alg" in self.changed_data and not signing_key(algorithm):
            self.add_error(
                "introspection_signed_response_alg",
                _("This server has no key for this algorithm. Set ISSUER, and add a key to SIGNING_KEYS first."),
            )
        return cleaned
