from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class CountingHasher(PBKDF2PasswordHasher):
    """Count the hashes."""

    algorithm = "counting"
    iterations = 1
    encoded = 0

    def encode(self, *arguments: Any, **options: Any) -> Any:
        CountingHasher.encoded += 1
        return super().encode(*arguments, **options)


def statements(captured: Any, client_id: str) -> list[str]:
    """Return the statements of a request without the values in which two clients differ, and without the time."""
    shown = [re.sub(r"> \d{10}\b", "> ?", query["sql"].replace(client_id, "?")) for query in captured]
    shown = [re.sub(r"SAVEPOINT .*", "SAVEPOINT", statement) for statement in shown]  # in the transaction of a test
    return [re.sub(r"(digest\W+= ).*?( AND )", r"\1?\2", statement, flags=re.DOTALL) for statement in shown]
