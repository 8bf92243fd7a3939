from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class RevocableToken:
    """What a tombstone is for, without a row; lives for an hour from the moment given."""

    digest: bytes
    moment: datetime

    @property
    def expires_at(self) -> datetime:
        return self.moment + timedelta(hours=1)
