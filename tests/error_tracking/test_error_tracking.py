"""No token and no secret in what an error tracker sends and Django reports, wherever an error happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.projects.run import run_module

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def results(tmp_path_factory: Any) -> dict[str, Any]:
    database: Path = tmp_path_factory.mktemp("tracked") / "database"
    found: dict[str, Any] = json.loads(
        run_module("tests.error_tracking.events", "tests.settings", DATABASE_URL=f"sqlite:///{database}")
    )
    return found


@pytest.mark.requirement("9700-4.9.3-a")
def test_no_event_holds_a_secret(results: dict[str, Any]) -> None:
    assert {name: result["leaks"] for name, result in results.items() if result["leaks"]} == {}


def test_errors_were_reported_at_many_depths(results: dict[str, Any]) -> None:
    """Show that the test above sees something."""
    assert len(results) > 25
    assert {name: result for name, result in results.items() if result["reported"] < 2} == {}
    assert sum(result["reported"] for result in results.values()) > 3 * len(results)


def test_the_recipe_for_sentry_reports_errors_without_tokens_and_no_refusals() -> None:
    printed = json.loads(run_module("tests.error_tracking.recipe", "tests.settings"))
    sent = printed["sent"]

    for name in ("header", "body"):
        (event,) = sent[name]
        assert "an error with" in event
        assert printed["token"] not in event
    assert sent["refusal"] == sent["status 500"] == []
    assert ["credentials refused" in event for event in sent["status 401"]] == [True]
