"""References to secrets: a row of a table names a variable of the environment or a file, and never holds the secret.

Operators may write rows; only the people who run the servers may give them secrets. A reference therefore names a
variable or file that was made for this purpose, so that no row can send another secret to a server of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from .protocol.error_reports import conceal_locals

MAX_SECRET = 64 * 1024


class UnreadableSecret(ValueError):
    """A reference leads nowhere; the message names the place and holds no secret."""


def reference_problem(reference: Any, *, prefix: str) -> str | None:
    """Return the rule that a reference breaks, None if it names one place whose name begins with `prefix`.

    In the name of a file case is ignored.
    """
    if not isinstance(reference, Mapping) or len(reference) != 1 or not reference.keys() <= {"ENV", "FILE"}:
        return "must name either 'ENV' or 'FILE'"
    ((place, target),) = reference.items()
    if not isinstance(target, str) or not _name_of(place, target).startswith(prefix):
        return f"must refer to a variable or file whose name begins with {prefix}"
    return None


def _name_of(place: str, target: str) -> str:
    return target if place == "ENV" else PurePath(target).name.upper()


@conceal_locals
def read_secret(reference: Mapping[str, Any], *, prefix: str) -> str:
    """Return the value to which a reference leads, without a line end behind it; raises UnreadableSecret.

    A row that came from a fixture or from code was never checked by a form, so its place is checked here.
    """
    if problem := reference_problem(reference, prefix=prefix):
        raise UnreadableSecret(f"it {problem}")
    if "ENV" in reference:
        secret = os.environ.get(reference["ENV"])
        if secret is None:
            raise UnreadableSecret("the variable that 'ENV' names is not set")
        return secret
    try:
        with Path(reference["FILE"]).open(encoding="utf-8") as file:
            return file.read(MAX_SECRET).rstrip("\r\n")
    except (OSError, ValueError) as error:
        problem = f"the file that 'FILE' names cannot be read ({type(error).__name__})"
        raise UnreadableSecret(problem) from None
