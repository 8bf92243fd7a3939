"""What happens here, for audit and counters; no signal carries the value of a token or a secret.

Every receiver gets keyword arguments only:

- `token_issued`: `token` (the row), `client`
- `token_introspected`: `answer`, `caller` (the client that asked)
- `token_revoked`: `tokens` (a list of their UUIDs), `client` (who asked, or None)
- `refresh_token_reused`: `grant_id`, `client` (who presented it again)
- `client_authentication_failed`: `client_id` (as claimed, may be anything), `reason`, `remote_address`
"""

from __future__ import annotations

from django.dispatch import Signal

token_issued = Signal()
token_introspected = Signal()
token_revoked = Signal()
refresh_token_reused = Signal()
client_authentication_failed = Signal()
