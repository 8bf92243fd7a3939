"""Claims that carry roles: their names, their values, and the shapes in which servers write them."""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from django_introspection.protocol.claims import RequiredClaim
from django_introspection.protocol.explanation import missing_claim
from django_introspection.protocol.token_info import TokenInfo


class Role(str, Enum):  # noqa: UP042 - its text is not its value
    SELLER = "seller"


class Desk(StrEnum):
    SALES = "sales"


class Level(IntEnum):
    TWO = 2


def holds(members: dict[str, Any], name: Any, *values: Any) -> bool:
    return TokenInfo(members).has_claim(name, *values)


@pytest.mark.parametrize(
    ("members", "name", "value"),
    [
        pytest.param(
            {"realm_access": {"roles": ["buyer", "seller"]}}, ["realm_access", "roles"], "seller", id="nested"
        ),
        pytest.param(
            {"resource_access": {"orders.api": {"roles": ["seller"]}}},
            ("resource_access", "orders.api", "roles"),
            "seller",
            id="a dot in a step",
        ),
        pytest.param({"roles": ["Orders.Read.All"]}, "roles", "Orders.Read.All", id="list"),
        pytest.param({"permissions": ["read:orders"]}, "permissions", "read:orders", id="permissions"),
        pytest.param({"cognito:groups": ["sellers"]}, "cognito:groups", "sellers", id="colon"),
        pytest.param({"https://shop.example/roles": ["seller"]}, "https://shop.example/roles", "seller", id="address"),
        pytest.param({"a.b": "seller"}, ["a.b"], "seller", id="dot in the name"),
        pytest.param({"role": "seller"}, "role", "seller", id="one value"),
        pytest.param({"role": "sales manager"}, "role", "sales manager", id="space"),
        pytest.param({"urn:roles": {"seller": {"17": "shop.example"}}}, "urn:roles", "seller", id="object of roles"),
        pytest.param({"admin": True}, "admin", True, id="boolean"),
        pytest.param({"rights": {"sell": True}}, ["rights", "sell"], True, id="boolean by its name"),
        pytest.param({"level": 2}, "level", 2, id="number"),
        pytest.param({"level": 2}, "level", Level.TWO, id="number of an enum"),
        pytest.param({"roles": ["seller"]}, "roles", Role.SELLER, id="member of an enum"),
        pytest.param({"desk": "sales"}, "desk", Desk.SALES, id="member of a string enum"),
        pytest.param(
            {"": {"roles": "x"}, "groups": ["été", "/sales/north"]}, "groups", "/sales/north", id="group path"
        ),
    ],
)
def test_a_value_is_found_in_every_shape_that_servers_write(members: dict[str, Any], name: Any, value: Any) -> None:
    assert holds(members, name, value)
    assert holds(members, name, "another", value), "any value is enough"
    assert not holds(members, name, "another")
    assert not holds({}, name, value)


@pytest.mark.parametrize(
    ("members", "name", "value"),
    [
        pytest.param({"roles": ["sellers", "reseller"]}, "roles", "seller", id="part of a value"),
        pytest.param({"roles": "buyer seller"}, "roles", "seller", id="string with spaces"),
        pytest.param({"roles": "buyer,seller"}, "roles", "seller", id="string with commas"),
        pytest.param({"roles": ["buyer seller"]}, "roles", "seller", id="element with spaces"),
        pytest.param({"roles": ["Seller"]}, "roles", "seller", id="another case"),
        pytest.param({"roles": [["seller"]]}, "roles", "seller", id="list in a list"),
        pytest.param({"roles": [{"seller": {}}]}, "roles", "seller", id="object in a list"),
        pytest.param({"roles": [{"name": "seller"}]}, "roles", "seller", id="value of an object"),
        pytest.param({"roles": {"seller": False}}, "roles", "seller", id="role that is false"),
        pytest.param({"roles": {"seller": None}}, "roles", "seller", id="role that is null"),
        pytest.param({"roles": {"seller": True}}, "roles", "seller", id="role that is true"),
        pytest.param({"roles": {"1": "seller"}}, "roles", "seller", id="value in an object"),
        pytest.param({"roles": {"seller": {}}}, ["roles", "roles"], "seller", id="too deep"),
        pytest.param({"realm_access": {"roles": ["seller"]}}, "realm_access", "seller", id="not deep enough"),
        pytest.param(
            {"realm_access": [{"roles": ["seller"]}]}, ["realm_access", "roles"], "seller", id="list on the way"
        ),
        pytest.param({"realm_access": "roles"}, ["realm_access", "roles"], "roles", id="string on the way"),
        pytest.param({"a": {"b": "seller"}}, ["a.b"], "seller", id="a dot is no step"),
        pytest.param({"roles": None}, "roles", "None", id="null"),
        pytest.param({"roles": []}, "roles", "seller", id="empty list"),
        pytest.param({"admin": 1}, "admin", True, id="1 is not true"),
        pytest.param({"admin": True}, "admin", 1, id="true is not 1"),
        pytest.param({"admin": [True]}, "admin", 1, id="true in a list is not 1"),
        pytest.param({"admin": "true"}, "admin", True, id="a string is not true"),
        pytest.param({"level": 2.0}, "level", 2, id="fraction"),
        pytest.param({"level": "2"}, "level", 2, id="string of digits"),
        pytest.param({"level": 2}, "level", "2", id="number"),
    ],
)
def test_nothing_else_is_taken_for_the_value(members: dict[str, Any], name: Any, value: Any) -> None:
    assert not holds(members, name, value)


@pytest.mark.parametrize(
    ("name", "values", "error", "message"),
    [
        ("realm_access.roles", ["seller"], ValueError, r"Write \['realm_access', 'roles'\]"),
        ("realm_access.roles", ["seller"], ValueError, r"or \['realm_access.roles'\] if"),
        ("roles", [], ValueError, "at least one value"),
        ("", ["seller"], ValueError, "must not be empty"),
        ([], ["seller"], ValueError, "must not be empty"),
        (["realm_access", ""], ["seller"], ValueError, "must not be empty"),
        ("roles", [""], ValueError, "must not be empty"),
        ("scope", ["orders:read"], ValueError, r"requires_scope\(\)"),
        (["scp"], ["orders:read"], ValueError, r"requires_scope\(\)"),
        ("roles", [["seller", "buyer"]], TypeError, "not list"),
        ("roles", [None], TypeError, "not NoneType"),
        ("roles", [1.5], TypeError, "not float"),
        ("roles", [b"seller"], TypeError, "not bytes"),
        (None, ["seller"], TypeError, "list of strings"),
        (["realm_access", 1], ["seller"], TypeError, "list of strings"),
        ({"realm_access": "roles"}, ["seller"], TypeError, "list of strings"),
    ],
)
def test_a_claim_that_no_token_can_have_is_an_error(name: Any, values: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        RequiredClaim.named(name, *values)
    with pytest.raises(error, match=message):
        TokenInfo({}).has_claim(name, *values)


def test_the_explanation_names_the_claim_and_what_was_found_and_is_bounded() -> None:
    required = RequiredClaim.named(["realm_access", "roles"], "seller", "admin")

    found = missing_claim(TokenInfo({"realm_access": {"roles": ["buyer\n"]}}), required)
    assert found == ("missing claim; expected any of 'seller', 'admin' in ['realm_access', 'roles']; found 'buyer\\n'")
    assert missing_claim(TokenInfo({}), required).endswith("; found none")
    assert len(missing_claim(TokenInfo({"realm_access": {"roles": ["x" * 5000] * 5000}}), required)) < 2500
