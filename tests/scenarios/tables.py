"""Scenarios from the suites of other projects: one TOML file for each area and suite, one row for each scenario.

A row names their test, the input in the words of the runner of its area, and `theirs`, the outcome that their test
expects. An outcome is the status, then the error code if the answer has one: "200", "401 invalid_token".
"unavailable" is an answer that says nothing about the token or the client: 503 here, 500 or an exception there.
"refused" is 400 or 401 with any code, if their test accepts each of them; "4xx invalid_client" is any such status, if
their test looks at the code alone.

If our outcome is another one, the row has it in `ours`. It then names a page of the documentation and a sentence or
a part of one, `says`, that describes the difference there.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_TIME = re.compile(r"now([+-]\d+)?")
_COMMON = frozenset({"id", "test", "theirs", "ours", "page", "says", "then"})


@dataclass(frozen=True)
class Row:
    """One scenario; `given` is the input, `then` are facts that the answer has as well, both as the runner names them.

    `page` and `says` are there only if our outcome differs from theirs.
    """

    area: str
    suite: str
    revision: str
    id: str
    test: str
    given: Mapping[str, Any]
    theirs: str
    ours: str
    then: Mapping[str, Any]
    page: str | None = None
    says: str | None = None

    @property
    def differs(self) -> bool:
        """Whether our outcome is another one."""
        return self.ours != self.theirs

    def check(self, outcome: str, **facts: Any) -> None:
        """Assert that the outcome and the facts are those of the row."""
        assert _is(outcome, self.ours), f"{self.test}: {outcome}"
        found = {name: facts.get(name) for name in self.then}
        assert found == dict(self.then), f"{self.test}: {found}"


def _is(outcome: str, meant: str) -> bool:
    """Return whether an outcome is the one that a row means."""
    if meant == "refused":
        return outcome[:3] in ("400", "401")
    if meant.startswith("4xx"):
        return outcome[0] == "4" and outcome[3:] == meant[3:]
    return outcome == meant


@cache
def table(path: Path) -> tuple[Row, ...]:
    """Read one file."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(_row(path, content["suite"], content["revision"], entry) for entry in content["row"])


def every_row() -> list[Row]:
    """Return the rows of every file."""
    return [row for path in sorted(HERE.glob("*/*.toml")) for row in table(path)]


def played(area: str) -> pytest.MarkDecorator:
    """Give a test each row of an area as `row`."""
    rows = [row for row in every_row() if row.area == area]
    return pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in rows])


def filled(value: Any, **names: Any) -> Any:
    """Return a value of a row with "now+60" as a time and {names} replaced."""
    match value:
        case Mapping():
            return {name: filled(item, **names) for name, item in value.items()}
        case list():
            return [filled(item, **names) for item in value]
        case str() if found := _TIME.fullmatch(value):
            return int(time.time()) + int(found[1] or 0)
        case str():
            for name, meant in names.items():
                value = value.replace(f"{{{name}}}", str(meant))
    return value


def _row(path: Path, suite: str, revision: str, entry: dict[str, Any]) -> Row:
    return Row(
        area=path.parent.name,
        suite=suite,
        revision=revision,
        id=f"{path.stem}-{entry['id']}",
        test=entry["test"],
        given={name: value for name, value in entry.items() if name not in _COMMON},
        theirs=entry["theirs"],
        ours=entry.get("ours", entry["theirs"]),
        then=entry.get("then", {}),
        page=entry.get("page"),
        says=entry.get("says"),
    )
