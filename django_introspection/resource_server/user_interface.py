"""The interface of a user of Django, for a user without a row, permissions and groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from django.apps import apps
from django.db.models.manager import EmptyManager

from ..protocol.token_info import TokenInfo


class UserInterface:
    """The interface of Django's `AnonymousUser`, async twins included, and the names of its `AbstractUser`.

    Has no permission and is in no group: the scope says what a token may do. `groups` and `user_permissions` exist if
    django.contrib.auth is installed.
    """

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False
    token_info: TokenInfo

    @property
    def username(self) -> str:
        """A name to show people, else the subject; never an identity."""
        info = self.token_info
        return info.username or info.sub or info.client_id or ""

    @property
    def email(self) -> str:
        """The e-mail address if the token says that it was verified, else an empty string."""
        return self._text("email") if self.token_info.get("email_verified") is True else ""

    @property
    def first_name(self) -> str:
        """The member `given_name`."""
        return self._text("given_name")

    @property
    def last_name(self) -> str:
        """The member `family_name`."""
        return self._text("family_name")

    def get_username(self) -> str:
        """Return `username`."""
        return self.username

    def get_full_name(self) -> str:
        """Return the member `name`, else both names with a space between."""
        return self._text("name") or f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        """Return `first_name`."""
        return self.first_name

    @property
    def groups(self) -> Any:
        """No groups."""
        return self._empty("Group")

    @property
    def user_permissions(self) -> Any:
        """No permissions."""
        return self._empty("Permission")

    def get_user_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    async def aget_user_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    def get_group_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    async def aget_group_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    async def aget_all_permissions(self, obj: Any = None) -> set[str]:
        """Return no permissions."""
        return set()

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Return False."""
        return False

    async def ahas_perm(self, perm: str, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Return whether the list is empty, as Django does; raises ValueError for a string."""
        asked: Any = perm_list
        if isinstance(asked, str) or not isinstance(asked, Iterable):
            raise ValueError("perm_list must be an iterable of permissions.")  # noqa: TRY004 - as Django does
        return not list(asked)

    async def ahas_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Return like `has_perms`."""
        return self.has_perms(perm_list, obj)

    def has_module_perms(self, module: str) -> bool:
        """Return False."""
        return False

    async def ahas_module_perms(self, module: str) -> bool:
        """Return False."""
        return False

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise NotImplementedError."""
        raise NotImplementedError("A user of a token has no row in the database.")

    delete = set_password = check_password = save

    def __str__(self) -> str:
        return self.username

    def _text(self, member: str) -> str:
        value = self.token_info.get(member)
        return value if isinstance(value, str) else ""

    def _empty(self, model: str) -> Any:
        if not apps.is_installed("django.contrib.auth"):
            raise AttributeError("django.contrib.auth is not installed")
        return EmptyManager(apps.get_model("auth", model))
