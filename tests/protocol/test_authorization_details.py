"""Authorization details as values: from outside, for a resource, narrowed, and required (RFC 9396)."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from django_introspection.protocol.authorization_details import (
    MAX_OBJECTS,
    MAX_SIZE,
    MEMBER,
    RequiredDetails,
    is_part_of,
    located_at,
    normal_details,
    parse_details,
    with_details,
)
from django_introspection.protocol.token_info import TokenInfo

API = "https://api.example.com/payments"
PAYMENT = {
    "type": "payment_initiation",
    "actions": ["initiate", "status"],
    "locations": [API],
    "identifier": "account-1",
    "amount": {"currency": "EUR", "value": "123.50"},
}


@pytest.mark.requirement("9396-2-a", "9396-12-a")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "null",
        "true",
        '"payment"',
        '{"type": "a"}',
        "[]",
        "[1]",
        '["a"]',
        "[[]]",
        "[{}]",
        '[{"type": null}]',
        '[{"type": 1}]',
        '[{"type": ""}]',
        '[{"type": ["a"]}]',
        '[{"type": "a"}, {"actions": ["b"]}]',
        '[{"type": "a", "type": "b"}]',
        '[{"type": "a", "actions": "b"}]',
        '[{"type": "a", "actions": []}]',
        '[{"type": "a", "actions": [1]}]',
        '[{"type": "a", "actions": null}]',
        '[{"type": "a", "locations": {}}]',
        '[{"type": "a", "datatypes": [""]}]',
        '[{"type": "a", "privileges": true}]',
        '[{"type": "a", "identifier": 1}]',
        '[{"type": "a", "identifier": ""}]',
        '[{"type": "a", "amount": NaN}]',
        '[{"type": "a", "amount": 1e999}]',
        '[{"type": "a\\u0000"}]',
        '[{"type": "a", "b": {"c": ["\\u0000"]}}]',
        '[{"type": "a", "b\\u0000": 1}]',
        '[{"type": "\\ud800"}]',
        '[{"type": "a", "b": ' + "[" * 40 + "]" * 40 + "}]",
        json.dumps([{"type": "a", "text": "x" * MAX_SIZE}]),
        json.dumps([{"type": "a"}] * (MAX_OBJECTS + 1)),
    ],
)
def test_anything_but_a_short_array_of_typed_objects_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|is not|holds|repeats|has)") as refused:
        parse_details(text)

    assert len(str(refused.value)) < 80


def test_valid_details_are_read_as_they_are() -> None:
    assert parse_details(json.dumps([PAYMENT, {"type": "é", "deep": [{"a": None, "b": 1.5}]}])) == [
        PAYMENT,
        {"type": "é", "deep": [{"a": None, "b": 1.5}]},
    ]


@pytest.mark.parametrize("details", [{"type": "a"}, [{"type": object()}], [{"a": float("nan")}], "a", [{1, 2}]])
def test_details_of_the_project_are_held_to_the_same_rules(details: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        normal_details(details)


def test_details_of_the_project_may_be_any_iterable_of_objects() -> None:
    assert normal_details(each for each in (PAYMENT,)) == [PAYMENT]
    assert normal_details((PAYMENT,))[0] is not PAYMENT


@pytest.mark.requirement("9396-9.2-a")
@pytest.mark.parametrize(
    ("locations", "resource", "located"),
    [
        ([API], API, True),
        ([f"{API}/sepa"], API, True),
        (["https://other.example", API], API, True),
        (["HTTPS://API.example.com:443/payments"], API, True),
        ([API], f"{API}/", True),
        ([API], "https://api.example.com/", True),
        ([f"{API}-old"], API, False),
        (["https://api.example.com.evil.example/payments"], "https://api.example.com", False),
        (["https://api.example.com"], API, False),
        (["urn:payments"], "urn:payments", True),
        ([], API, False),
        ([1], API, False),
        (API, API, False),
        (None, API, False),
    ],
)
def test_an_object_is_for_the_resources_at_or_above_its_locations(locations: Any, resource: str, located: bool) -> None:
    detail = {"type": "a", "locations": locations}

    assert located_at([detail], [resource]) == ([detail] if located else [])


def test_an_object_without_locations_is_for_every_resource_and_nothing_else_is_for_any() -> None:
    info = TokenInfo({MEMBER: [{"type": "a"}, {"type": "b", "locations": [API]}, "c"]})

    assert located_at(info[MEMBER], ["urn:x"]) == [{"type": "a"}]
    assert len(located_at(info[MEMBER], [API])) == 2
    assert located_at([{"type": "a"}], []) == [{"type": "a"}]
    assert [located_at(each, [API]) for each in (None, "a", {"type": "a"}, 1)] == [[], [], [], []]


def test_a_copy_of_the_members_has_other_details_or_none() -> None:
    members = MappingProxyType({"acr": "gold", MEMBER: [PAYMENT]})

    assert with_details(members, []) == {"acr": "gold"}
    assert with_details(members, [{"type": "a"}]) == {"acr": "gold", MEMBER: [{"type": "a"}]}


@pytest.mark.parametrize(
    ("changes", "is_part"),
    [
        ({}, True),
        ({"actions": ["status"]}, True),
        ({"actions": ["status", "initiate"]}, True),
        ({"actions": ["cancel"]}, False),
        ({"actions": ["status", "cancel"]}, False),
        ({"amount": {"value": "123.50", "currency": "EUR"}}, True),
        ({"amount": {"value": "123.51", "currency": "EUR"}}, False),
        ({"identifier": "account-2"}, False),
        ({"type": "account_information"}, False),
        ({"amount": None}, False),
        ({"further": True}, False),
    ],
)
def test_a_part_of_an_object_has_fewer_list_elements_and_the_same_of_everything_else(
    changes: Any, is_part: bool
) -> None:
    assert is_part_of({**PAYMENT, **changes}, PAYMENT) is is_part


def test_an_object_without_a_field_is_no_part_of_one_with_it() -> None:
    assert not is_part_of({name: value for name, value in PAYMENT.items() if name != "amount"}, PAYMENT)
    assert not is_part_of({"type": "a", "limit": 1}, {"type": "a", "limit": True})


def is_met(required: RequiredDetails, *details: Any) -> bool:
    return required.is_met(TokenInfo({MEMBER: list(details)}))


@pytest.mark.requirement("9396-9-P")
def test_one_object_must_have_everything_that_is_required() -> None:
    required = RequiredDetails.read("payment_initiation", actions=["initiate"], locations=[API], identifier="account-1")

    assert is_met(required, {"type": "other"}, PAYMENT)
    assert not is_met(required, {**PAYMENT, "actions": ["status"]}, {**PAYMENT, "locations": ["https://x.example"]})
    for field in ("actions", "locations", "identifier", "type"):
        assert not is_met(required, {name: value for name, value in PAYMENT.items() if name != field})
    assert not is_met(required, {**PAYMENT, "identifier": "account-10"})
    assert not is_met(required, {**PAYMENT, "actions": "initiate"})
    assert not is_met(required, {**PAYMENT, "type": "PAYMENT_INITIATION"})


@pytest.mark.parametrize("value", [None, "payment", {"type": "payment"}, ["payment"], [["payment"]], 1])
def test_what_is_not_a_list_of_objects_meets_nothing(value: Any) -> None:
    assert not RequiredDetails.read("payment").is_met(TokenInfo({MEMBER: value}))
    assert not RequiredDetails.read("payment").is_met(TokenInfo({}))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((("",), {}), ValueError),
        (((1,), {}), TypeError),
        ((("a",), {"actions": "initiate"}), TypeError),
        ((("a",), {"actions": ["", "b"]}), ValueError),
        ((("a",), {"actions": [1]}), TypeError),
        ((("a",), {"identifier": ""}), ValueError),
        ((("a",), {"identifier": 1}), TypeError),
    ],
)
def test_a_requirement_that_no_token_meets_is_refused(arguments: Any, problem: Any) -> None:
    positional, named = arguments
    with pytest.raises(problem):
        RequiredDetails.read(*positional, **named)
