"""An app with models of its own in the place of those of django-oauth-toolkit."""
