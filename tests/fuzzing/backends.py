"""A backend whose issuer is in this process."""

from __future__ import annotations

import json

from django_introspection.backends import JWTBackend
from django_introspection.outbound.messages import Reply
from django_introspection.outbound.steps import Steps
from tests.backends.issuers import public


class LocalKeys(JWTBackend):
    """Verify the JWTs of an issuer with one key for ES256 and one for Ed25519."""

    def _exchange(self) -> Steps[Reply]:
        keys = [public("one"), public("two", "Ed25519")]
        return Reply(200, {}, json.dumps({"keys": keys}).encode())
        yield  # an operation is a generator
