"""The two tables of the floors: what an introspection endpoint must look up, and no more."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class FloorClient(models.Model):
    client_id = models.CharField(max_length=100, unique=True)
    secret_digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.client_id


class FloorToken(models.Model):
    digest = models.CharField(max_length=64, unique=True)
    client = models.ForeignKey(FloorClient, on_delete=models.CASCADE)
    # without a constraint, because this app has no migrations and its tables are made before those of users
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_constraint=False)
    scope = models.TextField(default="")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.pk)
