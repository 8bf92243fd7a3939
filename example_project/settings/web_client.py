"""The web client of the browser story: it has no tables, and keeps tokens in its own memory, never in the browser."""

from __future__ import annotations

import os

from .base import *  # noqa: F403
from .base import ROOT

ROOT_URLCONF = "example_project.urls.web_client"
INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "example_project.web_client",
]
MIDDLEWARE = [
    "example_project.content_security_policy.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "example_project.web_client.problems.ProblemPages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "example_project/templates"],
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "static/"
STATICFILES_DIRS = [ROOT / "example_project/static"]

SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_COOKIE_NAME = "order-book"  # cookies know hosts and no ports: the authorization server has others
CSRF_USE_SESSIONS = True

AUTHORIZATION_SERVER = os.environ.get("AUTHORIZATION_SERVER", "http://127.0.0.1:8000")
RESOURCE_SERVER = os.environ.get("RESOURCE_SERVER", "http://127.0.0.1:8001")
WEB_CLIENT_SECRET = os.environ.get("WEB_CLIENT_SECRET", "set WEB_CLIENT_SECRET")

# To sign in is a form whose answer leads to the authorization server.
CONTENT_SECURITY_POLICY = (
    f"default-src 'self'; form-action 'self' {AUTHORIZATION_SERVER}; base-uri 'none'; frame-ancestors 'none'"
)
