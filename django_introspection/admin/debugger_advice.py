"""What each answer means to an operator, and what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..keys import signed_here, signing_keys
from ..protocol import opaque
from ..protocol.answer import Reason
from ..protocol.jwt import ACCESS_TOKEN_TYPE, MalformedJWT, looks_like_jwt, parse_jwt


class Advice(NamedTuple):
    """Why, and what to do; both in words."""

    why: Any
    do: Any


REASONS = {
    Reason.MALFORMED: Advice(
        _("This cannot be a token of this source."), _("Compare it with what the client sends: a part may be missing.")
    ),
    Reason.UNKNOWN: Advice(
        _("The source does not know this value."),
        _("It may be another server's or another environment's, or it expired and was purged. Get a new one."),
    ),
    Reason.EXPIRED: Advice(
        _("Its life is over."),
        _(
            "The client has to get a new one, by its refresh token where it has one. If this comes early, "
            "compare the clocks of the machines, and the lifetime of the client with ACCESS_TOKEN_LIFETIME."
        ),
    ),
    Reason.NOT_YET_VALID: Advice(
        _("Its life has not begun."),
        _("Wait until its “not before”. If it should be good now, compare the clocks of the machines."),
    ),
    Reason.REVOKED: Advice(
        _("It was revoked."), _("The client has to get a new one. If a refresh token was used twice, find out by whom.")
    ),
    Reason.USER_INACTIVE: Advice(
        _("The user that it was issued for is disabled."),
        _("Enable the user: a token that has not expired is good again."),
    ),
    Reason.USER_UNKNOWN: Advice(
        _("The token is good, and no user of this project is the one that it names."),
        _("Make that user, or look at claim, field and create in the entry USER of this backend."),
    ),
    Reason.USER_PRIVILEGED: Advice(
        _("The token is good, and the user that it names is staff or superuser here."),
        _("Another server cannot name such a user. If it should, set allow_staff in the entry USER of this backend."),
    ),
    Reason.CLIENT_INACTIVE: Advice(
        _("The client that it was issued to is disabled."),
        _("Enable the client: a token that has not expired is good again."),
    ),
    Reason.CALLER_POLICY: Advice(
        _("The token is good, but this caller may not be told of it."),
        _(
            "Look at “may introspect” and “resources served” of the caller, and at the audience of the token: "
            "one of the resources must be in it. A refresh token is described to its own client alone."
        ),
    ),
    Reason.WRONG_ISSUER: Advice(
        _("It names another issuer than this backend believes."),
        _("Ask the backend of that issuer, or correct the option issuer of this one."),
    ),
    Reason.BAD_SIGNATURE: Advice(
        _("No key of the issuer made its signature."),
        _(
            "It was altered, or signed with a key that the issuer does not publish, or by an algorithm that this "
            "backend does not take. If the issuer has just changed its keys, they are fetched again within a minute."
        ),
    ),
    Reason.WRONG_AUDIENCE: Advice(
        _("It is for other resources than this resource server."),
        _("The client has to ask for a token with this resource; or correct the option audience of the backend."),
    ),
    Reason.NOT_AN_ACCESS_TOKEN: Advice(
        _("It is a refresh token, an ID token or one that does not say what it is; only access tokens open a view."),
        _(
            "Send the access token. If the authorization server never says token_type and has nothing but "
            "access tokens, set require_token_type to False."
        ),
    ),
    Reason.BOUND_TO_A_KEY: Advice(
        _("It is bound to a key or certificate (cnf), and worth nothing to who only holds the token."),
        _("It must be presented with its proof; this resource server takes plain bearer tokens alone."),
    ),
    Reason.NOT_BOUND_TO_A_KEY: Advice(
        _("It is a plain bearer token, and was sent by the DPoP scheme."),
        _("Send it as Bearer where the view takes that, or get a token that is bound to the key of the proof."),
    ),
    Reason.ANOTHER_KEY: Advice(
        _("It is bound to another key than the one that made the proof, or to something else as well."),
        _("The client has to make the proof with the key that it got the token with."),
    ),
    Reason.INACTIVE: Advice(
        _("The authorization server says that it is not active, and does not say why."),
        _("Ask those who run it; they can see the reason. It may also not let this resource server see the token."),
    ),
}

UNAVAILABLE = Advice(
    _("It could not be found out. Views answer 503 in this case."),
    _(
        "Look at the address, the credentials and the certificate in the options of this backend, and whether "
        "that server can be reached from this machine; the log says more."
    ),
)
MAY_NOT_ASK = Advice(
    _("This caller may not introspect at all: the endpoint answers 403."), _("Change its “may introspect”.")
)
CANNOT_AUTHENTICATE = Advice(
    _("This caller is disabled and cannot authenticate: the endpoint answers 401."), _("Enable the client.")
)
MEMBERS_FAILED = Advice(
    _("The endpoint answers 503."),
    _("The function of the setting MEMBERS fails for this token; the log names the line."),
)


def advice(reason: Reason) -> Advice:
    """Return what is to be said of a reason, the reason itself where nothing is."""
    return REASONS.get(reason) or Advice(reason, _("Look at the settings of this backend."))


@sensitive_variables("token")
def malformed_advice(token: str) -> Advice:
    """Say what is wrong with a value that cannot be a token, without showing any of it."""
    if token.startswith(opaque.CLIENT_SECRET):
        return Advice(
            _("This is a client secret, not a token."),
            _("If it was sent as a token, others may have seen it: give the client a new secret, and retire this one."),
        )
    if token.startswith("dit_"):
        return Advice(
            _("It begins like a token of this server, but its checksum is wrong."),
            _("It was cut off, mistyped or made up. Copy the whole value."),
        )
    if looks_like_jwt(token):
        return _jwt_advice(token)
    return REASONS[Reason.MALFORMED]


@sensitive_variables("token", "jwt")
def _jwt_advice(token: str) -> Advice:
    try:
        jwt = parse_jwt(token)
    except MalformedJWT as problem:
        why = str(_("It looks like a JWT, but %(problem)s.")) % {"problem": problem}
        return Advice(why, _("It was cut off or changed on the way. Copy the whole value."))
    if jwt.media_type != ACCESS_TOKEN_TYPE:
        return Advice(
            _("It is a JWT, but no access token: its type is not at+jwt. It may be an ID token or an assertion."),
            _("Send the access token."),
        )
    if signed_here(jwt):
        return REASONS[Reason.MALFORMED]
    known = ", ".join(key.kid for key in signing_keys()) or _("none")
    return Advice(
        str(_("The signature of this JWT is not by a key of this server (its keys: %(known)s).")) % {"known": known},
        _(
            "It may be another server's: look at the members that it claims, and ask the backend of that issuer. "
            "If this server did sign it, its key was taken out of SIGNING_KEYS too early, or the token was changed."
        ),
    )
