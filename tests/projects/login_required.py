"""Every view asks for a login, unless it says otherwise."""

from tests import services
from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
DATABASES = {"default": services.database("login_required")}
