from __future__ import annotations

from typing import Any

import pytest

from tests import factories


@pytest.fixture
def ada(db: None) -> Any:
    return factories.UserFactory(username="ada")


@pytest.fixture
def configured(settings: Any) -> Any:
    """Change settings under TOKEN_INTROSPECTION."""

    def change(**values: Any) -> None:
        settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, **values}

    return change
