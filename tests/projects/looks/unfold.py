"""A project whose admin is django-unfold's."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["unfold", *INSTALLED_APPS]
ROOT_URLCONF = "tests.projects.looks.unfold_urls"
DATABASES = {"default": services.database("unfold")}
LOOK = "unfold"
