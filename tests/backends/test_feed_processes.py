"""Every process follows the feed by itself, also one that was forked while its parent did."""

from __future__ import annotations

import pytest

from tests.projects.run import run_module

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("arguments", [[], ["held"]], ids=["a backend of its own", "the object of its parent"])
def test_a_forked_process_follows_the_feed_itself(arguments: list[str]) -> None:
    said = run_module(f"{__package__}.forking_with_feed", "tests.settings", *arguments)

    assert said.split() == ["child:", "refuses", "parent:", "fresh", "0"]
