"""A project that observes itself."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_introspection.contrib.opentelemetry"]
DATABASES = {"default": services.database("opentelemetry")}
