from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable

import pytest

from django_introspection.protocol import opaque
from django_introspection.protocol.opaque import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN, generate, may_be_token

ALPHABET = string.digits + string.ascii_letters
PREFIXES = [ACCESS_TOKEN, REFRESH_TOKEN, CLIENT_SECRET]


def base_62(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + ALPHABET.index(character)
    return number


@pytest.mark.requirement("6749-10.10-a")
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_generated_value_has_256_bits_and_each_of_them_is_random(prefix: str) -> None:
    zeros = ones = 0
    for _ in range(80):
        value = generate(prefix)
        assert re.fullmatch(prefix + "[0-9A-Za-z]{49}", value)
        number = base_62(value[len(prefix) : -6])
        ones |= number
        zeros |= ~number
    assert ones == 2**256 - 1
    assert zeros & ones == 2**256 - 1


def test_no_two_generated_values_are_the_same() -> None:
    assert len({generate(ACCESS_TOKEN) for _ in range(100)}) == 100


@pytest.mark.parametrize("prefix", [ACCESS_TOKEN, REFRESH_TOKEN])
def test_a_generated_token_is_looked_up(prefix: str) -> None:
    assert may_be_token(generate(prefix))


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
        lambda value: value.replace(ACCESS_TOKEN, REFRESH_TOKEN),
        lambda value: value.replace(ACCESS_TOKEN, "dit_xx_"),
        lambda value: ACCESS_TOKEN + value.removeprefix(ACCESS_TOKEN).swapcase(),
        lambda value: ACCESS_TOKEN,
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
