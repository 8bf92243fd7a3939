from __future__ import annotations

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
