"""What the hostile settings name: nothing here survives being used."""

from __future__ import annotations

from typing import Any, NoReturn


class Explosive:
    """Refuse to be made."""

    media_type = "application/explosive"
    format = "explosive"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        explode()


def explode(*args: Any, **kwargs: Any) -> NoReturn:
    """Refuse to be called."""
    raise AssertionError("a setting of the project reached an endpoint")
