"""A project whose admin is django-jazzmin's."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["jazzmin", *INSTALLED_APPS]
DATABASES = {"default": services.database("jazzmin")}
LOOK = "jazzmin"
