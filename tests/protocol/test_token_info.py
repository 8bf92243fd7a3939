from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from django_introspection.protocol.token_info import TokenInfo

MEMBERS = {
    "scope": "orders:read orders:write",
    "client_id": "client-1",
    "username": "alice",
    "token_type": "Bearer",
    "exp": 1_700_000_600,
    "iat": 1_700_000_000.5,
    "nbf": 0,
    "sub": "42",
    "aud": ["https://api.example.com/orders", "https://api.example.com/stock"],
    "iss": "https://auth.example.com",
    "jti": "0190-1",
    "cnf": {"x5t#S256": "abc"},
    "custom": {"list": [1, {"deep": [None]}]},
}


@pytest.fixture
def info() -> TokenInfo:
    return TokenInfo(MEMBERS)


def test_it_is_a_mapping_of_the_members_as_they_came(info: TokenInfo) -> None:
    assert info["sub"] == "42"
    assert info.get("nothing") is None
    assert len(info) == len(MEMBERS) + 1
    assert list(info) == ["active", *MEMBERS]
    with pytest.raises(KeyError):
        info["nothing"]


def test_attributes_are_the_typed_form(info: TokenInfo) -> None:
    assert info.scopes == {"orders:read", "orders:write"}
    assert info.client_id == "client-1"
    assert info.username == "alice"
    assert info.token_type == "Bearer"
    assert info.sub == "42"
    assert info.iss == "https://auth.example.com"
    assert info.jti == "0190-1"
    assert info.audiences == ("https://api.example.com/orders", "https://api.example.com/stock")
    assert info.confirmation == {"x5t#S256": "abc"}
    assert info.expires_at == datetime(2023, 11, 14, 22, 23, 20, tzinfo=UTC)
    assert info.issued_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert info.not_before == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("members", "scopes"),
    [
        ({"scp": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": "a", "scp": ["b"]}, {"a"}),
        ({"scope": "", "scp": ["b"]}, set()),
        ({"scope": None, "scp": ["b"]}, {"b"}),
        ({"scp": ["a b"]}, set()),
        ({"scp": [1, "a"]}, set()),
        ({"scp": {"a": 1}}, set()),
        ({"scp": 7}, set()),
        ({"roles": ["a"]}, set()),
    ],
)
def test_scopes_are_read_from_scope_or_else_from_scp(members: dict[str, Any], scopes: set[str]) -> None:
    assert TokenInfo(members).scopes == scopes


@pytest.mark.parametrize(
    ("members", "client_id"),
    [
        ({"client_id": "a", "azp": "b"}, "a"),
        ({"azp": "b", "cid": "c"}, "b"),
        ({"cid": "c"}, "c"),
        ({"appid": "d"}, "d"),
        ({"azp": 7, "cid": "c"}, "c"),
        ({"clientId": "x"}, None),
    ],
)
def test_the_client_is_read_from_what_servers_write(members: dict[str, Any], client_id: str | None) -> None:
    assert TokenInfo(members).client_id == client_id


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"username": "a", "preferred_username": "b"}, "a"),
        ({"preferred_username": "b"}, "b"),
        ({"upn": "c@example.com"}, "c@example.com"),
        ({"unique_name": "d"}, "d"),
        ({"name": "E"}, None),
    ],
)
def test_the_name_to_show_is_read_from_what_servers_write(members: dict[str, Any], name: str | None) -> None:
    assert TokenInfo(members).username == name


def test_what_was_not_said_is_none_or_empty() -> None:
    info = TokenInfo({})

    assert info == {"active": True}
    assert info.scopes == frozenset()
    assert info.audiences == ()
    for name in ("sub", "client_id", "username", "iss", "jti", "token_type", "confirmation"):
        assert getattr(info, name) is None
    for name in ("expires_at", "issued_at", "not_before"):
        assert getattr(info, name) is None


def test_an_audience_may_be_one_string() -> None:
    assert TokenInfo({"aud": "https://api.example.com"}).audiences == ("https://api.example.com",)


@pytest.mark.parametrize("separator", ["\t", "\n", "\u00a0", "\u2003", "\x1f"])
def test_a_scope_is_split_at_spaces_and_at_nothing_else(separator: str) -> None:
    assert TokenInfo({"scope": f"a{separator}admin  b "}).scopes == {f"a{separator}admin", "b"}


@pytest.mark.parametrize("active", [False, None, "no"])
def test_no_member_makes_an_active_token_inactive(active: Any) -> None:
    assert TokenInfo({"active": active})["active"] is True


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"token_type": "Bearer"}, True),
        ({"token_type": "bearer"}, True),
        ({"token_type": "DPoP"}, True),
        ({"token_type": "Bearer", "typ": "at+jwt", "token_use": "access"}, True),
        ({"token_type": "N_A"}, False),
        ({"token_type": "refresh_token"}, False),
        ({"token_type": "Bearer", "token_use": "refresh_token"}, False),
        ({"token_type": "Bearer", "typ": "Refresh"}, False),
        ({"token_type": "Bearer", "typ": "Offline"}, False),
        ({"token_type": "Bearer", "typ": "ID"}, False),
        ({"token_type": "Bearer", "token_use": "id_token"}, False),
        ({"typ": "Refresh"}, False),
        ({"typ": "Bearer"}, True),
        ({"token_use": "access"}, True),
        ({"token_use": "access_token"}, True),
        ({"token_use": "refresh"}, False),
        ({"token_type": "access_token"}, True),
        ({"token_type": "access_token", "typ": "Logout"}, False),
        ({"token_type": "urn:ietf:params:oauth:token-type:access_token"}, True),
        ({"token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, False),
        ({"typ": "Bearer", "token_type": "N_A"}, False),
        ({"token_type": "refresh-token"}, False),
        ({"token_type": "access"}, True),
        ({"tokenType": "access-token"}, True),
        ({"tokenType": "refresh-token"}, False),
        ({"token_type": "Bearer", "tokenType": "refresh-token"}, False),
        ({"token_type": "Bearer", "typ": "refreshToken"}, False),
        ({"tok_type": "AT"}, True),
        ({"tok_type": "IT"}, False),
        ({"token_type": "Bearer", "token_use": "registration"}, False),
        ({"token_type": "Bearer", "token_use": ["access"]}, False),
        ({"tokenName": "access_token"}, True),
        ({"tokenName": "user_token"}, False),
        ({"purpose": "access_token"}, True),
        ({"purpose": "payment"}, None),
        ({"type": "access"}, True),
        ({"token_type": "Bearer", "type": "refresh"}, False),
        ({"type": "person"}, None),
        ({"scope": "openid"}, None),
        ({"typ": "JWT"}, None),
        ({"token_type": "JWT"}, None),
        ({"token_type": "JWT", "token_use": "refresh_token"}, False),
        ({}, None),
        ({"typ": ["Refresh"]}, None),
        ({"scope": "openid", "at_hash": "LDktKdoQak3Pk0cnXxCltA"}, False),
        ({"token_type": "Bearer", "c_hash": "LDktKdoQak3Pk0cnXxCltA"}, False),
    ],
)
def test_it_says_whether_it_is_an_access_token(members: dict[str, Any], expected: bool | None) -> None:
    assert TokenInfo(members).is_access_token is expected


def test_nothing_in_it_can_be_changed(info: TokenInfo) -> None:
    with pytest.raises(AttributeError):
        info.sub = "1"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        info.other = "1"  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        info["sub"] = "1"  # type: ignore[index]
    with pytest.raises(TypeError):
        info["custom"]["list"][1]["deep"] = "1"
    with pytest.raises(TypeError):
        info["custom"]["list"][0] = "1"


def test_what_it_was_made_from_can_change_without_it() -> None:
    members: dict[str, Any] = {"aud": ["a"], "custom": {"list": [1]}}
    info = TokenInfo(members)

    members["aud"].append("b")
    members["custom"]["list"].append(2)

    assert info == {"active": True, "aud": ["a"], "custom": {"list": [1]}}


def test_its_dictionary_is_a_copy_in_plain_types(info: TokenInfo) -> None:
    plain = info.to_dict()

    assert plain == {"active": True, **MEMBERS}
    plain["custom"]["list"].append(2)
    assert info.to_dict() != plain


def test_it_equals_a_dictionary_with_the_same_members(info: TokenInfo) -> None:
    assert info == TokenInfo(MEMBERS)
    assert info == {"active": True, **MEMBERS}
    assert info != {**MEMBERS, "active": True, "sub": "43"}
    assert info != "a string"


def test_it_survives_pickling_and_copying(info: TokenInfo) -> None:
    for again in (pickle.loads(pickle.dumps(info)), copy.copy(info), copy.deepcopy(info)):  # noqa: S301
        assert isinstance(again, TokenInfo)
        assert again == info


def test_its_repr_tells_identifiers_and_no_personal_data(info: TokenInfo) -> None:
    assert repr(info) == "<TokenInfo jti='0190-1' client_id='client-1'>"


def test_a_value_of_another_type_is_kept_as_it_is() -> None:
    class Text(str):
        __slots__ = ()

    value = Text("a")
    info = TokenInfo({"custom": value, "list": [value]})

    assert info["custom"] is value
    assert info["list"] == (value,)
    assert info.to_dict() == {"active": True, "custom": "a", "list": ["a"]}
