"""The reasons of rejections in the words of the reader; the log has the English ones of `Reason`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import pgettext_lazy

from ..protocol.answer import Reason

UNAVAILABLE = "unavailable"
MAY_NOT_INTROSPECT = "caller may not introspect"

NAMES: dict[str, Any] = {
    Reason.MALFORMED: pgettext_lazy("token", "malformed"),
    Reason.UNKNOWN: pgettext_lazy("token", "unknown"),
    Reason.ALGORITHM: pgettext_lazy("token", "algorithm not accepted"),
    Reason.UNKNOWN_KEY: pgettext_lazy("token", "signed with an unknown key"),
    Reason.BAD_SIGNATURE: pgettext_lazy("token", "not signed by its issuer"),
    Reason.EXPIRED: pgettext_lazy("token", "expired"),
    Reason.NOT_YET_VALID: pgettext_lazy("token", "not yet valid"),
    Reason.REVOKED: pgettext_lazy("token", "revoked"),
    Reason.USER_INACTIVE: pgettext_lazy("token", "user inactive"),
    Reason.USER_UNKNOWN: pgettext_lazy("token", "no such user here"),
    Reason.USER_PRIVILEGED: pgettext_lazy("token", "its user is staff here"),
    Reason.USER_REFUSED: pgettext_lazy("token", "its user is refused here"),
    Reason.CLIENT_INACTIVE: pgettext_lazy("token", "client inactive"),
    Reason.CALLER_POLICY: pgettext_lazy("token", "not for this caller"),
    Reason.WRONG_ISSUER: pgettext_lazy("token", "wrong issuer"),
    Reason.WRONG_AUDIENCE: pgettext_lazy("token", "wrong audience"),
    Reason.NOT_AN_ACCESS_TOKEN: pgettext_lazy("token", "not an access token"),
    Reason.BOUND_TO_A_KEY: pgettext_lazy("token", "bound to a key"),
    Reason.NOT_BOUND_TO_A_KEY: pgettext_lazy("token", "not bound to a key"),
    Reason.ANOTHER_KEY: pgettext_lazy("token", "not bound to this key alone"),
    Reason.OUTSIDE_NETWORKS: pgettext_lazy("token", "sent from outside of its networks"),
    Reason.INACTIVE: pgettext_lazy("token", "the authorization server says inactive"),
    Reason.UNSUPPORTED_TYPE: pgettext_lazy("token", "the authorization server does not introspect this type of token"),
    Reason.INSUFFICIENT_SCOPE: pgettext_lazy("token", "insufficient scope"),
    UNAVAILABLE: pgettext_lazy("verdict", "unavailable"),
    MAY_NOT_INTROSPECT: pgettext_lazy("verdict", "caller may not introspect"),
}


def reason_name(reason: str) -> Any:
    """Return the name of a reason. Any other is that of a source of clients, whose words the advice quotes."""
    return NAMES.get(reason, pgettext_lazy("verdict", "caller not authenticated"))
