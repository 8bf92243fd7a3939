"""The kinds of token that servers name in their answers and claims, in every spelling that they use."""

from __future__ import annotations

import pytest

from django_introspection.protocol.dialects import is_access_token

OTHER_KINDS = [
    *("refresh_token", "Refresh", "refreshToken", "Offline", "offline_token", "rt+jwt"),
    *("ID", "id_token", "id+jwt", "id-token+jwt", "urn:ietf:params:oauth:token-type:id_token"),
    *("Logout", "logout_token", "logout+jwt", "application/logout+jwt", "Backchannel-Logout", "backchannel_logout"),
    *("Serialized-ID", "secevent+jwt", "dpop+jwt", "client-authentication+jwt", "token-introspection+jwt"),
    *("registration", "InitialAccessToken", "RegistrationAccessToken", "authorization_code"),
    *("urn:ietf:params:oauth:token-type:saml1", "urn:ietf:params:oauth:token-type:saml2"),
]


@pytest.mark.parametrize("member", ["typ", "type", "purpose", "token_type", "token_use"])
@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_another_kind_of_token_is_no_access_token(member: str, kind: str) -> None:
    assert is_access_token({member: kind}) is False


@pytest.mark.parametrize("kind", ["Bearer", "DPoP", "access_token", "accessToken", "access", "AT", "at+jwt"])
def test_an_access_token_is_one(kind: str) -> None:
    assert is_access_token({"typ": kind}) is True
    assert is_access_token({"token_type": kind}) is True


def test_a_member_that_says_something_else_decides_nothing() -> None:
    assert is_access_token({"typ": "client_credentials", "type": 7, "purpose": None}) is None
