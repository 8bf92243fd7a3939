"""A user model with a UUID as its key and an e-mail address to log in with."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, TOKEN_INTROSPECTION

INSTALLED_APPS = [*INSTALLED_APPS, "tests.projects.people"]
AUTH_USER_MODEL = "people.Person"
DATABASES = {"default": services.database("custom_user")}
TOKEN_INTROSPECTION = {**TOKEN_INTROSPECTION, "SUBJECT": "tests.projects.people.models.subject"}
