from __future__ import annotations

from collections.abc import Iterator

import pytest

from django_introspection.revocation_feed import news as news_module
from django_introspection.revocation_feed import recording
from django_introspection.revocation_feed.news import news


@pytest.fixture
def _recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Record the ends of tokens, as the app does once it is installed.

    A test with `database_url` names that first: the thread that waits must end before its database moves back.
    """
    monkeypatch.setattr(news_module, "IDLE", 0)
    recording.connect()
    yield
    recording.disconnect()
    news.stop()
