"""The files of the servers are valid, and what is said in them has a source."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.servers import shapes


@pytest.mark.parametrize("name", shapes.names())
def test_a_file_is_valid(name: str) -> None:
    assert shapes.problems(shapes.read(name)) == []


def uncited(document: Any) -> None:
    document["tokens"][0]["sources"] = []


def unknown_source(document: Any) -> None:
    document["tokens"][0]["sources"] = ["nowhere"]


def unconfirmed_without_notes(document: Any) -> None:
    document["tokens"][0] |= {"confirmed": False, "notes": ""}


def expects_too_little(document: Any) -> None:
    document["tokens"][0]["expect"].popitem()


def refresh_token_passes(document: Any) -> None:
    token = next(each for each in document["tokens"] if each["kind"] != "access")
    token["expect"] = dict.fromkeys(token["expect"], 200)


def misspelt_member(document: Any) -> None:
    document["tokens"][0]["claim"] = {}


def misspelt_reading(document: Any) -> None:
    document["tokens"][0]["reads"]["scope"] = []


def closed_setup(document: Any) -> None:
    for token in document["tokens"]:
        token["expect"]["remote"] = 401


def access_tokens_alone(document: Any) -> None:
    document["tokens"] = [token for token in document["tokens"] if token["kind"] == "access"]
    document["sources"].pop("refresh")  # which nothing cites then


def credentials_that_nothing_refuses(document: Any) -> None:
    document["issuers"][0]["introspection"]["wrong_credentials"] = None


@pytest.mark.parametrize(
    "spoil",
    [
        closed_setup,
        access_tokens_alone,
        credentials_that_nothing_refuses,
        uncited,
        unknown_source,
        unconfirmed_without_notes,
        expects_too_little,
        refresh_token_passes,
        misspelt_member,
        misspelt_reading,
    ],
)
def test_a_mistake_in_a_file_is_found(spoil: Callable[[Any], None]) -> None:
    document = copy.deepcopy(shapes.read("keycloak"))
    spoil(document)

    assert len(shapes.problems(document)) == 1
