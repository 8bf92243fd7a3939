from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractApplication,
    AbstractGrant,
    AbstractIDToken,
    AbstractRefreshToken,
)


class Program(AbstractApplication):
    is_enabled = models.BooleanField(default=True)

    def is_usable(self, request: Any) -> bool:
        return self.is_enabled


class Access(AbstractAccessToken):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class Refresh(AbstractRefreshToken):
    pass


class Identity(AbstractIDToken):
    pass


class Code(AbstractGrant):
    pass
