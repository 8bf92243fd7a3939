"""Clients and tokens in the admin. A secret is shown once, in the answer that made it."""

from django.contrib import admin

from ..models import Client, Token
from .client import ClientAdmin
from .token import TokenAdmin
from .users import UserTokensMixin

admin.site.register(Client, ClientAdmin)
admin.site.register(Token, TokenAdmin)

__all__ = ["ClientAdmin", "TokenAdmin", "UserTokensMixin"]
