"""A project with django-oauth-toolkit as a server runs it, and the password hasher of Django."""

from tests.contrib.oauth_toolkit.settings import *  # noqa: F403

DEBUG = False
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.bridge_urls"
ALLOWED_HOSTS = ["*"]
LOGGING_CONFIG = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
