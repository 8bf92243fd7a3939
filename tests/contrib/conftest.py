"""What is for another project of the suite is not collected here."""

from __future__ import annotations

from django.conf import settings

BRIDGES = {"allauth": "allauth.idp.oidc", "oauth_toolkit": "oauth2_provider", "project_tokens": "knox"}
collect_ignore = [folder for folder, app in BRIDGES.items() if app not in settings.INSTALLED_APPS]
