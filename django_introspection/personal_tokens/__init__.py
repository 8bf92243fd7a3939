"""Tokens that people make for their own programs. Off until the app is in INSTALLED_APPS."""
