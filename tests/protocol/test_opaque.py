from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable

import pytest

from django_introspection.protocol import opaque
from django_introspection.protocol.jwt import has_jose_header, looks_like_jwt
from django_introspection.protocol.opaque import (
    ACCESS_TOKEN,
    CLIENT_SECRET,
    KINDS,
    MAX_PREFIX,
    REFRESH_TOKEN,
    TokenPrefix,
    generate,
    kind_of,
    loggable_identifier,
    prefix_problem,
)

ALPHABET = string.digits + string.ascii_letters
may_be_token = TokenPrefix().may_be_token


def base_62(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    return number


@pytest.mark.requirement("6749-10.10-a")
@pytest.mark.parametrize("kind", KINDS)
def test_a_generated_value_has_256_bits_and_each_of_them_is_random(kind: str) -> None:
    zeros = ones = 0
    for _ in range(80):
        value = generate(kind)
        assert re.fullmatch(f"dit_{kind}_[0-9A-Za-z]{{49}}", value)
        number = base_62(value[len("dit_at_") : -6])
        ones |= number
        zeros |= ~number
    assert ones == 2**256 - 1
    assert zeros & ones == 2**256 - 1


def test_no_two_generated_values_are_the_same() -> None:
    assert len({generate(ACCESS_TOKEN) for _ in range(100)}) == 100


@pytest.mark.parametrize("kind", [ACCESS_TOKEN, REFRESH_TOKEN])
def test_a_generated_token_is_looked_up(kind: str) -> None:
    assert may_be_token(generate(kind))


def test_a_client_secret_is_never_looked_up_as_a_token() -> None:
    assert not may_be_token(generate(CLIENT_SECRET))


@pytest.mark.parametrize("foreign", ["a", "2YotnFZFEjr1zCsicMWpAA", "eyJ0.e30.c2ln", "é", "two words", "DIT_at_x"])
def test_a_token_made_elsewhere_is_looked_up(foreign: str) -> None:
    assert may_be_token(foreign)


@pytest.mark.parametrize("value", ["", "a\x00", "a\n", "\x1f", "a\x7f", "\x85", "a\ud800"])
def test_what_a_database_or_a_digest_could_choke_on_is_not_looked_up(value: str) -> None:
    assert not may_be_token(value)
    assert opaque.has_control_characters(value) or not value


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value + "0",
        lambda value: value.replace("dit_at_", "dit_rt_"),
        lambda value: value.replace("dit_at_", "dit_xx_"),
        lambda value: "dit_at_" + value.removeprefix("dit_at_").swapcase(),
        lambda value: "dit_at_",
        lambda value: "dit_",
        lambda value: value[:-1] + "é",
        lambda value: value + "\n",
    ],
    ids=["cut", "longer", "other kind", "no kind", "case", "no value", "no more", "not ASCII", "line end"],
)
def test_a_damaged_value_with_our_prefix_is_not_looked_up(damage: Callable[[str], str]) -> None:
    assert not may_be_token(damage(generate(ACCESS_TOKEN)))


def test_a_value_is_stored_as_its_sha_256() -> None:
    assert opaque.digest("é") == hashlib.sha256("é".encode()).digest()
    assert len(opaque.digest("")) == 32


def test_the_hint_of_a_secret_is_its_last_four_characters() -> None:
    assert opaque.hint("dit_cs_abcdefgh") == "efgh"


@pytest.mark.parametrize("prefix", ["ab", "acme", "acme2", "a" * MAX_PREFIX])
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_with_a_prefix_of_its_own_is_no_jwt_and_names_its_kind(prefix: str, kind: str) -> None:
    assert prefix_problem(prefix) is None
    value = TokenPrefix(prefix).generate(kind)

    assert re.fullmatch(f"{prefix}_{kind}_[0-9A-Za-z]{{49}}", value)
    assert not looks_like_jwt(value)
    assert not has_jose_header(value)
    assert kind_of(value) == kind
    assert TokenPrefix(prefix).may_be_token(value) == (kind != CLIENT_SECRET)


@pytest.mark.parametrize(
    "prefix", ["", "a", "a" * (MAX_PREFIX + 1), "Acme", "1acme", "acme_", "ac me", "ac.me", "eyJ", "ac\n", "acmé", "_"]
)
def test_a_prefix_that_could_be_mistaken_is_refused(prefix: str) -> None:
    assert prefix_problem(prefix)


@pytest.mark.parametrize("own", ["acme", "dit"])
def test_a_damaged_value_is_refused_unasked_with_the_own_prefix_and_the_default_one(own: str) -> None:
    for prefix in (own, "dit"):
        damaged = TokenPrefix(prefix).generate(ACCESS_TOKEN)[:-1]
        assert not TokenPrefix(own).may_be_token(damaged)
    assert TokenPrefix(own).may_be_token("acm_at_damaged")
    assert TokenPrefix(own).may_be_token("acmes_at_damaged")


def test_a_value_with_a_former_prefix_is_looked_up() -> None:
    value = TokenPrefix("former").generate(ACCESS_TOKEN)

    assert TokenPrefix("acme").may_be_token(value)
    assert TokenPrefix("acme").may_be_token(value[:-1]), "whose value it is only a query can decide"


def test_a_client_secret_with_a_former_prefix_is_never_looked_up() -> None:
    secret = TokenPrefix("former").generate(CLIENT_SECRET)

    assert not TokenPrefix("acme").may_be_token(secret)
    assert TokenPrefix("acme").may_be_token(secret[:-1])
    assert kind_of(secret[:-1] + "é") is None


@pytest.mark.parametrize("prefix", ["dit", "acme", "former"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_generated_value_appears_in_a_log_in_the_place_of_an_identifier(prefix: str, kind: str) -> None:
    value = TokenPrefix(prefix).generate(kind)

    for logged in (value, f"Bearer {value}", value[:30], f"x{value}"):
        assert loggable_identifier(logged) == "(a secret or token)"


@pytest.mark.parametrize("identifier", ["shop_at_frankfurt", "acme_cs_desk", "orders-api", "a_b_c"])
def test_an_identifier_that_only_resembles_a_value_is_logged(identifier: str) -> None:
    assert loggable_identifier(identifier) == identifier


@pytest.mark.parametrize(
    ("value", "kind", "begins"),
    [
        ("acme_cs_x", CLIENT_SECRET, True),
        ("acme_at_x", CLIENT_SECRET, False),
        ("dit_x", "", True),
        ("acm_x", "", False),
    ],
)
def test_a_cut_value_is_known_by_its_beginning(value: str, kind: str, begins: bool) -> None:
    assert TokenPrefix("acme").begins(value, kind) is begins


def test_a_prefix_shows_itself_and_no_value() -> None:
    assert repr(TokenPrefix("acme")) == "TokenPrefix('acme')"
