"""A project whose admin is django-grappelli's."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = ["grappelli", *INSTALLED_APPS]
ROOT_URLCONF = "tests.projects.looks.grappelli_urls"
DATABASES = {"default": services.database("grappelli")}
LOOK = "grappelli"
