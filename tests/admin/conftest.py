from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client as Browser


@pytest.fixture
def superuser(db: None) -> Any:
    return get_user_model().objects.create_superuser("root", password="x")


@pytest.fixture
def browser(superuser: Any) -> Browser:
    """A browser of the superuser."""
    browser = Browser()
    browser.force_login(superuser)
    return browser


@pytest.fixture
def staff_browser(db: None) -> Any:
    """Make the browser of a member of staff with some permissions alone."""

    def make(*codenames: str) -> Browser:
        user = get_user_model().objects.create_user("staff", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Browser()
        browser.force_login(user)
        return browser

    return make
