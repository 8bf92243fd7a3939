"""Revoke the token with a key, in a process that shares the database and Redis with the test: run as a program."""

from __future__ import annotations

import sys


def main() -> None:
    import django
    from django.conf import settings

    pk, cache_url = sys.argv[1:]
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache_url, "KEY_PREFIX": "orders"}
    settings.CACHES = {"default": cache}
    settings.TOKEN_INTROSPECTION = {**settings.TOKEN_INTROSPECTION, "REVOCATION_FEED": {"ALIAS": "default"}}
    django.setup()

    from django_introspection.authorization_server.revoking import revoke_token
    from django_introspection.models import Token
    from django_introspection.revocation_feed import recording

    recording.connect()
    revoke_token(Token.objects.get(pk=pk), by=None)


if __name__ == "__main__":
    main()
