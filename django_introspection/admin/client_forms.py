"""The forms of the admin of clients."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect
from django.core.exceptions import ValidationError
from django.core.serializers import serialize
from django.utils.translation import gettext_lazy as _

from ..authorization_server.jwt_access_tokens import can_sign_jwt
from ..authorization_server.purposes import Purpose
from ..models import AccessTokenFormat, Client, GrantType, IntrospectionPolicy
from ..protocol.opaque import digest

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelForm = forms.ModelForm[Client]
else:
    _ModelForm = forms.ModelForm

RESOURCES_SERVED = _(
    "The identifiers of the API, one on each line: absolute URIs, as they stand in the audience (aud) of the tokens "
    "that are meant for it. Usually its address, such as https://api.example.com/orders."
)
SCOPES_SERVED = _(
    "The scopes that the API understands, with one space between. It is told these alone of a token that has more. "
    "Empty: all of them."
)
SCOPES_ASKED = _(
    "The scopes that it may ask for, with one space between, such as orders:read orders:write. Asking for no scope, "
    "it gets all of these; it never gets another."
)
RESOURCES_ASKED = _(
    "The APIs that its tokens may be for, by their identifiers: absolute URIs, one on each line. Usually what the API "
    "has among the resources that it serves."
)

ONE_LINE = {"class": "vTextField introspection-entry"}


class LinesField(forms.CharField):
    """A list of strings, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField introspection-entry"})

    def prepare_value(self, value: Any) -> Any:
        """Show a list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the lines that are not empty, each once."""
        lines = (line.strip() for line in super().clean(value).splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, so that the history names the field only where it was changed."""
        return bool((initial or []) != self.clean(data))


class FormIdField(forms.UUIDField):
    """The name of one form, so that it does its work once however often it is sent."""

    widget = forms.HiddenInput

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, initial=uuid4, **options)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Give a form that came without its name a new one."""
        try:
            return UUID(data)
        except (TypeError, ValueError):
            return initial

    def clean(self, value: Any) -> Any:
        """Return the name, None where there is none or another thing."""
        return self.bound_data(value, None)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Be no change of a client."""
        return False


def client_id_of_form(form_id: UUID) -> str:
    """Return the client ID that a form gives where none is entered: sent again, it finds it taken."""
    return f"client-{form_id.hex[:16]}"


class SeenField(forms.CharField):
    """A fingerprint of what a form has shown, so that nobody overwrites what another has changed meanwhile."""

    widget = forms.HiddenInput

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show the fingerprint of what there is now: sent once more, the form overwrites it knowingly."""
        return initial

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Be no change of a client."""
        return False


def fingerprint(client: Client) -> str:
    """Return a short name of all that a client is."""
    return digest(serialize("json", [client])).hex()


class _OnceForm(forms.Form):
    form_id = FormIdField()

    def clean(self) -> dict[str, Any]:
        """Refuse a form that has lost its name: it could do its work twice."""
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("form_id"):
            raise ValidationError(
                _("This form was not complete. Nothing was changed and nothing is lost: send it again.")
            )
        return cleaned


class AddClientForm(_OnceForm, _ModelForm):
    """The few things that have to be said of a new client; the rest follows from what it is for."""

    purpose = forms.ChoiceField(
        label=_("What is it for?"),
        choices=Purpose.choices,
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
        initial=Purpose.RESOURCE_SERVER,
        help_text=_(
            "A resource server may introspect the tokens that are for its resources, and gets none. A machine client "
            "gets tokens for its own credentials, and may introspect its own alone. All of it can be changed later."
        ),
    )
    resources = LinesField(label=_("Resources served"), required=False, help_text=RESOURCES_SERVED)
    allowed_resources = LinesField(label=_("Allowed resources"), required=False, help_text=RESOURCES_ASKED)
    client_id = forms.CharField(
        label=_("Client ID"),
        required=False,
        max_length=255,
        help_text=_("Empty: a random one is made. It is not secret, and cannot be changed later."),
        widget=forms.TextInput(attrs=ONE_LINE),
    )

    class Media:
        css = {"all": ["introspection/admin.css"]}

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
        )
        widgets = {
            "jwks_uri": forms.TextInput(attrs=ONE_LINE),
            "scope": forms.TextInput(attrs=ONE_LINE),
            "resource_scopes": forms.TextInput(attrs=ONE_LINE),
        }
        help_texts = {"scope": SCOPES_ASKED, "resource_scopes": SCOPES_SERVED}

    def clean_jwks(self) -> Any:
        """Return no keys for an empty text."""
        return self.cleaned_data["jwks"] or {}

    def clean(self) -> dict[str, Any]:
        """Leave out what the purpose has no use for, and fill in what follows from it."""
        cleaned = super().clean()
        if not cleaned.get("client_id", "-"):
            cleaned["client_id"] = client_id_of_form(cleaned["form_id"])
        if "purpose" not in cleaned:
            return cleaned
        purpose = Purpose(cleaned["purpose"])
        if not purpose.serves:
            self._leave_out("resources", "resource_scopes")
        elif not cleaned.get("resources") and "resources" not in self.errors:
            self.add_error("resources", _("Name the resource that it serves, or choose another purpose above."))
        if not purpose.asks:
            self._leave_out("scope", "allowed_resources")
        client = self.instance
        client.grant_types = [GrantType.CLIENT_CREDENTIALS.value] if purpose.asks else []
        client.introspection_policy = IntrospectionPolicy.AUDIENCE if purpose.serves else IntrospectionPolicy.OWN
        return cleaned

    def _leave_out(self, *names: str) -> None:
        for name in names:
            self.cleaned_data[name] = self.fields[name].clean("")
            self.errors.pop(name, None)


class ClientForm(_ModelForm):
    """The metadata of a client, lists entered as lines and ticks."""

    grant_types = forms.MultipleChoiceField(
        label=_("Grant types"),
        choices=GrantType.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "radiolist"}),
        help_text=_(
            "What it may exchange for a token. None: it gets no tokens of its own, as a plain resource server."
        ),
    )
    allowed_resources = LinesField(label=_("Allowed resources"), required=False, help_text=RESOURCES_ASKED)
    resources = LinesField(label=_("Resources served"), required=False, help_text=RESOURCES_SERVED)
    seen = SeenField(required=False)
    visible_members = LinesField(
        label=_("Visible members"),
        required=False,
        help_text=_(
            "Members that it is told of tokens of others, one on each line; empty: all. It always gets active. "
            "A resource server usually needs token_type, scope, aud, iss, sub, client_id, exp and cnf."
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
            "access_token_lifetime",
            "refresh_token_lifetime",
            "resources",
            "resource_scopes",
            "introspection_policy",
            "filter_scope",
            "visible_members",
            "access_token_format",
        )
        widgets = {
            "jwks_uri": forms.TextInput(attrs=ONE_LINE),
            "scope": forms.TextInput(attrs=ONE_LINE),
            "resource_scopes": forms.TextInput(attrs=ONE_LINE),
        }
        help_texts = {
            "scope": SCOPES_ASKED,
            "resource_scopes": SCOPES_SERVED,
            "introspection_policy": _(
                "Each choice includes the ones above it. Whatever is chosen, a token that it may not be told about is "
                "inactive to it, and a refresh token is only ever described to the client that holds it. Choose every "
                "access token for a gateway alone: it learns of the users of every API."
            ),
        }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.initial["seen"] = fingerprint(self.instance)

    def clean_jwks(self) -> Any:
        """Return no keys for an empty text."""
        return self.cleaned_data["jwks"] or {}

    def clean_seen(self) -> Any:
        """Refuse to overwrite unseen what somebody else has saved."""
        if self.cleaned_data["seen"] not in ("", self.initial["seen"]):
            changed_meanwhile = _(
                "Somebody has changed this client since you opened the form: its history says who. Your entries are "
                "still here, and nothing was saved. Compare, then save again to overwrite the other changes."
            )
            self.add_error(None, changed_meanwhile)
        return ""

    def clean(self) -> dict[str, Any]:
        """Refuse choices that need another one, and say which."""
        cleaned = super().clean() or self.cleaned_data
        by_audience = cleaned.get("introspection_policy") == IntrospectionPolicy.AUDIENCE
        if by_audience and not cleaned.get("resources") and "resources" not in self.errors:
            self.add_error(
                "introspection_policy",
                _(
                    "It serves no resources, so no token is for it: enter them under “Resources served”, or choose "
                    "“Its own tokens”."
                ),
            )
        wants_jwt = cleaned.get("access_token_format") == AccessTokenFormat.JWT
        if wants_jwt and "access_token_format" in self.changed_data and not can_sign_jwt():
            self.add_error(
                "access_token_format",
                _("This server cannot sign: set ISSUER and SIGNING_KEYS first, or choose opaque."),
            )
        return cleaned


DAY = 24 * 60 * 60


class SecretForm(_OnceForm):
    """When a new secret ends, and the ones it replaces."""

    lifetime = forms.TypedChoiceField(
        widget=forms.Select(attrs={"class": "introspection-entry"}),
        label=_("The new secret expires"),
        choices=[
            ("", _("never")),
            (30 * DAY, _("in 30 days")),
            (90 * DAY, _("in 90 days")),
            (180 * DAY, _("in 180 days")),
            (365 * DAY, _("in a year")),
        ],
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        empty_value=None,
        required=False,
    )
    others = forms.TypedChoiceField(
        widget=forms.Select(attrs={"class": "introspection-entry"}),
        label=_("The secrets that it has now expire"),
        choices=[
            ("", _("as they do now: I retire them by hand")),
            (60 * 60, _("in an hour")),
            (DAY, _("in a day")),
            (7 * DAY, _("in a week")),
            (30 * DAY, _("in 30 days")),
        ],
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        empty_value=None,
        required=False,
        help_text=_("Until then both are good, so that the client can change over without a pause."),
    )
