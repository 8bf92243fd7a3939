"""The advice about each verdict: an explanation for the operator, and the next step."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from ..authorization_server.client_sources import CLIENT_INACTIVE, Rejection
from ..conf import introspection_settings
from ..keys import signed_here, signing_keys
from ..protocol import opaque
from ..protocol.answer import Reason
from ..protocol.jwt import ACCESS_TOKEN_TYPE, MalformedJWT, looks_like_jwt, parse_jwt


class Advice(NamedTuple):
    """The explanation of a rejection and the next step, in sentences; `detail` is English, as in the log."""

    why: Any
    do: Any
    detail: str = ""


REASONS = {
    Reason.MALFORMED: Advice(
        _("This value cannot be a token of this backend."),
        _(
            "Compare it with what the client sends: a part may be missing. A JWTBackend verifies signed JWTs alone; "
            "for opaque and encrypted tokens use a RemoteBackend."
        ),
    ),
    Reason.UNKNOWN: Advice(
        _("The backend does not know this value."),
        _("It may belong to another server or environment, or it expired and was purged. Get a new token."),
    ),
    Reason.EXPIRED: Advice(
        _("The token has expired."),
        _(
            "The client must get a new token, with its refresh token if it has one. If tokens expire too early, "
            "compare the clocks of the machines, and the lifetime of the client with ACCESS_TOKEN_LIFETIME."
        ),
    ),
    Reason.NOT_YET_VALID: Advice(
        _("The token is not valid yet."),
        _("Wait until its “not before”. If it should be valid now, compare the clocks of the machines."),
    ),
    Reason.REVOKED: Advice(
        _("The token was revoked."),
        _("The client must get a new token. If a refresh token was used twice, find out which program used it."),
    ),
    Reason.USER_INACTIVE: Advice(
        _("The user that the token was issued for is disabled."),
        _("Enable the user: a token that has not expired becomes active again."),
    ),
    Reason.USER_UNKNOWN: Advice(
        _("The token is active, but no user of this project is the one that it names."),
        _("Create that user, or check claim, field and create in the entry USER of this backend."),
    ),
    Reason.USER_PRIVILEGED: Advice(
        _("The token is active, but the user that it names is staff or superuser here."),
        _("Another server cannot name such a user. If it should, set allow_staff in the entry USER of this backend."),
    ),
    Reason.USER_REFUSED: Advice(
        _("The token is active, but the resolver of users raised PermissionDenied: the view answers 403."),
        _("Look at the resolver in the entry USER of this backend."),
    ),
    Reason.CLIENT_INACTIVE: Advice(
        _("The client that the token was issued to is disabled."),
        _("Enable the client: a token that has not expired becomes active again."),
    ),
    Reason.CALLER_POLICY: Advice(
        _("The token is active, but the policy of this caller does not include it."),
        _(
            "Check “may introspect” and “resources served” of the caller, and the audience of the token: it must "
            "contain one of these resources. A refresh token is described only to its own client."
        ),
    ),
    Reason.WRONG_ISSUER: Advice(
        _("The token names another issuer than the one that this backend expects."),
        _("Ask the backend of that issuer, or correct the option issuer of this one."),
    ),
    Reason.ALGORITHM: Advice(
        _("The JWT names an algorithm that this backend does not accept, so its signature was not looked at."),
        _(
            "Add it to the option algorithms of the backend, or let the issuer sign with one that is accepted. "
            "Algorithms with a shared secret, such as HS256, are never accepted."
        ),
    ),
    Reason.UNKNOWN_KEY: Advice(
        _("The issuer publishes no key with the name and the algorithm of this JWT."),
        _(
            "Compare kid and alg of the JWT with the keys at the jwks_uri. If the issuer has just changed its keys, "
            "they are fetched again within ten minutes."
        ),
    ),
    Reason.BAD_SIGNATURE: Advice(
        _("The signature was not made by a key of the issuer."),
        _("The token was altered, or another server signed it and uses the same name for its key."),
    ),
    Reason.WRONG_AUDIENCE: Advice(
        _("The token is for other resources than this resource server."),
        _(
            "The client must ask for a token with this resource, or the option audience of the backend must be "
            "corrected. If the server names the audience in another member than aud, set audience_claim; if it names "
            "none, set audience_required to False."
        ),
    ),
    Reason.NOT_AN_ACCESS_TOKEN: Advice(
        _("This is a refresh token, an ID token or one that does not name its kind. Views accept access tokens only."),
        _(
            "Send the access token. If this is one, and the authorization server never names the kind of a token, "
            "set require_token_type to False; if it is a JWT without the type at+jwt, set require_at_jwt to False."
        ),
    ),
    Reason.BOUND_TO_A_KEY: Advice(
        _("The token is bound to a key or certificate (cnf), so holding the token is not enough."),
        _(
            "Send it by the DPoP scheme with a proof of that key, to a view whose schemes include DPoP, or from a "
            "connection with that certificate. This page has neither: a view may accept the token."
        ),
    ),
    Reason.NOT_BOUND_TO_A_KEY: Advice(
        _("This is a plain bearer token, and it was sent by the DPoP scheme."),
        _("Send it as Bearer to a view that accepts this, or get a token that is bound to the key of the proof."),
    ),
    Reason.ANOTHER_KEY: Advice(
        _("The token is bound to another key than the one that made the proof, or to something else as well."),
        _("The client must make the proof with the key that it used when it got the token."),
    ),
    Reason.OUTSIDE_NETWORKS: Advice(
        _("The token may be sent from some networks alone, and this page sends from none of them."),
        _(
            "Compare its networks with the address in the log of the refusal. If every request has the address of a "
            "proxy, name the proxy in TRUSTED_PROXIES."
        ),
    ),
    Reason.INACTIVE: Advice(
        _("The authorization server reports that the token is inactive, and gives no reason."),
        _("Ask its operators, who can see the reason. The server may also hide the token from this resource server."),
    ),
    Reason.UNSUPPORTED_TYPE: Advice(
        _("The authorization server answers that it does not introspect tokens of this type."),
        _("If the token is a JWT, verify it with a JWTBackend; otherwise send the access token."),
    ),
    Reason.INSUFFICIENT_SCOPE: Advice(
        _("The token is accepted, but it lacks a scope that the view needs: the view answers 403."),
        _("The client must ask for a token with this scope, and be allowed to have it."),
    ),
}

NOT_ROUTED = Advice(
    _("No backend was asked: this backend chooses by issuer or prefix, and names none for this token."),
    _("Add the issuer of the JWT to the option issuers, or correct the option default."),
)
NO_POLICY = Advice(
    _("This caller may not introspect at all: the endpoint answers 403."), _("Change its “may introspect”.")
)
_UNAVAILABLE = Advice(
    _("The token could not be checked. Views answer 503 in this case."),
    _(
        "Check the address, the credentials and the certificate in the options of this backend, and whether "
        "that server can be reached from this machine; the log has more details."
    ),
)
_ENDPOINT_UNAVAILABLE = Advice(
    _("The endpoint answers 503."),
    _("Check the backend that the endpoint asks and the function of the setting MEMBERS; the log names the line."),
)


def advice(reason: Reason) -> Advice:
    """Return the advice about a reason."""
    return REASONS[reason]


def unavailable(failure: Exception) -> Advice:
    """Return the advice about a backend that could not be asked; the text of the failure holds no value."""
    return _UNAVAILABLE._replace(detail=str(failure))


def unavailable_at_endpoint(failure: Exception) -> Advice:
    """Return the advice about an endpoint that cannot answer; the text of the failure holds no value."""
    return _ENDPOINT_UNAVAILABLE._replace(detail=str(failure))


def not_authenticated(rejection: Rejection) -> Advice:
    """Return the advice about a caller that its source does not authenticate."""
    if rejection is CLIENT_INACTIVE:
        return Advice(
            _("This caller is disabled and cannot authenticate: the endpoint answers 401."), _("Enable the client.")
        )
    return Advice(
        _("The source of this caller does not authenticate it: the endpoint answers 401."),
        _("Correct the client where it is registered."),
        rejection.reason,
    )


def malformed_advice(token: str) -> Advice:
    """Return what is wrong with a value that cannot be a token of our tables, without showing any of it."""
    prefix = introspection_settings.TOKEN_PREFIX
    if prefix.begins(token, opaque.CLIENT_SECRET) or opaque.kind_of(token) == opaque.CLIENT_SECRET:
        return Advice(
            _("This is a client secret, not a token."),
            _("If it was sent as a token, others may have seen it: give the client a new secret, and retire this one."),
        )
    if prefix.begins(token):
        return Advice(
            _("It begins like a token of this server, but its checksum is wrong."),
            _("It was cut off, mistyped or made up. Copy the whole value."),
        )
    if looks_like_jwt(token):
        return _jwt_advice(token)
    return REASONS[Reason.MALFORMED]


def _jwt_advice(token: str) -> Advice:
    try:
        jwt = parse_jwt(token)
    except MalformedJWT as problem:
        return Advice(
            _("It looks like a JWT, but it is malformed."),
            _("It was cut off or changed on the way. Copy the whole value."),
            str(problem),
        )
    if jwt.media_type != ACCESS_TOKEN_TYPE:
        return Advice(
            _("It is a JWT, but no access token: its type is not at+jwt. It may be an ID token or an assertion."),
            _("Send the access token."),
        )
    if signed_here(jwt):
        return REASONS[Reason.MALFORMED]
    known = ", ".join(key.kid for key in signing_keys())
    return Advice(
        _("The signature of this JWT is not by a key of this server."),
        _(
            "The token may belong to another server: look at its issuer, and ask the backend of that issuer. "
            "If this server signed it, its key was removed from SIGNING_KEYS too early, or the token was changed."
        ),
        f"keys of this server: {known or 'none'}",
    )
