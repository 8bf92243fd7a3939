"""A user model that is made of no base class of Django."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import AUDIENCE, INSTALLED_APPS, TOKEN_INTROSPECTION

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework.authtoken", "tests.projects.plain_people"]
AUTH_USER_MODEL = "plain_people.Account"
DATABASES = {"default": services.database("plain_user")}
TOKEN_INTROSPECTION = {
    **TOKEN_INTROSPECTION,
    "BACKENDS": {
        **TOKEN_INTROSPECTION["BACKENDS"],
        "authtoken": {"BACKEND": "django_introspection.contrib.authtoken.AuthtokenBackend"},
    },
    "PERSONAL_TOKENS": {"SCOPES": {"orders:read": None}, "AUDIENCE": [AUDIENCE]},
    "REVOKE_ON_PASSWORD_CHANGE": True,
}
