"""The authorization details that a token gets: requested by a client, or given by the project (RFC 9396 §5, §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from ..conf import introspection_settings
from ..hooks import call_hook
from ..models import Client, Token
from ..protocol.authorization_details import (
    COMMON_FIELDS,
    MEMBER,
    Details,
    is_part_of,
    located_at,
    normal_details,
    parse_details,
)
from ..protocol.errors import InvalidAuthorizationDetails
from ..protocol.form import Form
from ..setting_values import NAME


def requested_details(client: Client, form: Form, audience: list[str]) -> Details:
    """Return the authorization details that a client requests for its own credentials, none if it names none.

    Raises InvalidAuthorizationDetails, and IntrospectionUnavailable if the function of a type fails.
    """
    details = _parsed(form)
    if any(detail["type"] not in client.authorization_details_types for detail in details):
        raise InvalidAuthorizationDetails("This client may not use this type of authorization details.")
    return _checked(details, audience)


def given_details(details: Iterable[Mapping[str, Any]], audience: list[str]) -> Details:
    """Return a copy of the authorization details that the project gives a token of its own accord.

    Raises ValueError whose text names the problem, and IntrospectionUnavailable if the function of a type fails.
    """
    normal = normal_details(details)
    _check_conformity(normal, audience)
    return normal


def details_of_grant(granted: Token, client: Client, form: Form, audience: list[str]) -> Details:
    """Return the part of a token's authorization details that a client asks for: by default all for this audience.

    Types that the client may not use now are left out. Raises InvalidAuthorizationDetails, also if nothing is left:
    without them, a resource server might allow more.
    """
    whole = granted.members.get(MEMBER, [])
    known = introspection_settings.AUTHORIZATION_DETAILS_TYPES
    allowed = [name for name in client.authorization_details_types if name in known]
    left = [detail for detail in whole if detail["type"] in allowed]
    if whole and not left:
        raise InvalidAuthorizationDetails("This client may not have any authorization details of the grant.")
    return _narrowed(left, form, audience)


def _narrowed(granted: Details, form: Form, audience: list[str]) -> Details:
    details = _parsed(form)
    if any(not any(is_part_of(detail, other) for other in granted) for detail in details):
        raise InvalidAuthorizationDetails("The authorization details are more than the grant allows.")
    if details:
        return _checked(details, audience)
    return located_at(granted, audience) if audience else granted


def _check_conformity(details: Details, audience: list[str]) -> None:
    """Raise ValueError unless each object conforms to its type, and is for a resource of the audience (RFC 9396 §5)."""
    for detail in details:
        _check_type(detail)
    if audience and len(located_at(details, audience)) < len(details):
        raise ValueError("must have no object whose locations are all outside of the resources of the token")


def _parsed(form: Form) -> Details:
    text = form.get(MEMBER)
    try:
        return [] if text is None else normal_details(parse_details(text))  # a number may grow when it is written again
    except ValueError as problem:
        raise _refused(problem) from None


def _checked(details: Details, audience: list[str]) -> Details:
    try:
        _check_conformity(details, audience)
    except ValueError as problem:
        raise _refused(problem) from None
    return details


def _check_type(detail: dict[str, Any]) -> None:
    """Raise ValueError unless an object conforms to its type.

    A type without a function has the common fields alone; otherwise its function knows the further fields.
    """
    types, name = introspection_settings.AUTHORIZATION_DETAILS_TYPES, detail["type"]
    if name not in types:
        raise ValueError("must have types that this server knows")
    function = types[name]
    if function is None:
        if not COMMON_FIELDS.issuperset(detail):
            raise ValueError("must have no fields that their type does not have")
        return
    place = f"{NAME}['AUTHORIZATION_DETAILS_TYPES'][{name!r}]"
    try:
        call_hook(place, function, deepcopy(detail), read=lambda _: None, passing=(ValueError,))
    except ValueError:  # its text is the project's, and may quote the data
        raise ValueError("must conform to their types") from None


def _refused(problem: ValueError) -> InvalidAuthorizationDetails:
    return InvalidAuthorizationDetails(f"The parameter {MEMBER} {problem}.")
