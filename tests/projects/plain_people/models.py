"""A user model with the least that Django asks for: no base class of Django, no `is_active` and no permissions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class AccountManager(models.Manager["Account"]):
    def get_by_natural_key(self, name: str) -> Account:
        return self.get(name=name)


class Account(models.Model):
    name = models.CharField(max_length=100, unique=True)
    password = models.CharField(max_length=128)

    USERNAME_FIELD = "name"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    is_anonymous = False
    is_authenticated = True
    objects = AccountManager()

    def __str__(self) -> str:
        return self.name
