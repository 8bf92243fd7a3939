"""Signals for audit and counters; none carries the value of a token or a secret.

Every receiver gets keyword arguments only:

- `token_issued`: `token` (the row), `client`
- `token_introspected`: `answer`, `caller` (the client that asked)
- `token_revoked`: `tokens` (a list of their UUIDs), `client` (who asked, or None), `who` (in words, may be empty)
- `token_debugged`: `operator` (a user), `token` (its UUID, None if it is not ours), `alias` (of the backend), `caller`
  (the client ID of a caller of the endpoint, or None), `outcome` (in words)
- `refresh_token_reused`: `grant_id` (a UUID), `client` (the one that held the grant)
- `token_leaked`, for each leaked credential that was valid: `kind` (`access`, `refresh` or `client_secret`), `token`
  (its UUID) and `grant_id` (both None for a secret), `client`, `user` (or None), `source` (`report` or `alert`), `url`
  (where an alert found it, may be anything)
- `token_scanning_suspected`: `caller` (a client), `count` (its inactive answers in one period)
- `token_validated`: `backend` (an alias, of any kind of backend), `answer` (as this resource server judges it, None if
  it is unknown whether the token is active), `failure` (an IntrospectionUnavailable in that case, else None)
- `token_answered`: `backend` (an alias of a `RemoteBackend`), `answer`, `source` ("server", "cache", "local" for the
  memory of the process, "shared" for an answer to another caller's question, "stale" for a kept answer that stands in
  for a server that cannot be asked)
- `circuit_changed`: `backend`, `service` (the alias of one of them, None for the other), `is_open` (whether the server
  is not asked for now)
- `revocations_received`: `backend` (an alias whose feed of revocations this process follows), `count` (changes), `age`
  (the seconds since the oldest of them was recorded, by the clock of the server; None at the first reading)
- `feed_changed`: `backend`, `is_fresh` (whether everything that ended MAX_DELAY seconds ago is known by its feed)
- `credentials_refused`: `backend`, `service` (the alias of one of them, None for the other), `detail`; once a minute
  while a server refuses the credentials of this project
- `security_event_received`: `stream` (the row of the stream), `event_type` (a URI), `event` (its members), `subject`
  (its `sub_id`, or the `sub` and `sid` of a logout token), `moment` (tokens issued up to it have ended, in seconds),
  `targets` (pairs of a claim and a value whose tokens have ended; empty for an event that ends none); at least once
- `personal_token_created`: `personal_token` (its row), `instead_of` (the row that a rotation replaces, else None), `by`
  (who made it, in words; may be empty)
- `personal_token_expires_soon`: `personal_token` (its row), `days` (the threshold of NOTICES that it has reached)
- `client_authentication_failed`: `client_id` (as claimed, may be anything; a placeholder for what
  may be a secret), `reason`, `remote_address`
"""

from __future__ import annotations

from django.dispatch import Signal

token_issued = Signal()
token_introspected = Signal(use_caching=True)
token_revoked = Signal()
token_debugged = Signal()
client_authentication_failed = Signal()
refresh_token_reused = Signal()
token_leaked = Signal()
token_scanning_suspected = Signal()
token_validated = Signal()
token_answered = Signal()
circuit_changed = Signal()
revocations_received = Signal()
feed_changed = Signal()
credentials_refused = Signal()
security_event_received = Signal()
personal_token_created = Signal()
personal_token_expires_soon = Signal()
