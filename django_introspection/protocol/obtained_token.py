"""A token that an authorization server has issued to this project, for the API of another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .dialects import TOKEN_TYPE_URN

ACCESS_TOKEN, JWT = f"{TOKEN_TYPE_URN}access_token", f"{TOKEN_TYPE_URN}jwt"
"""What an API accepts in its `Authorization` header, as RFC 8693 §3 names it."""
BEARER = "Bearer"


@dataclass(frozen=True, slots=True)
class ObtainedToken:
    """A token and what the response says of it; its `repr` does not show the `value`.

    `scope` is the granted scope: the requested one if the response names none (RFC 6749 §5.1). `expires_at` is in UTC,
    None if the response does not say. `issued_token_type` is a URI of RFC 8693 §3, None unless a token was exchanged.
    """

    value: str = field(repr=False)
    expires_at: datetime | None = None
    scope: str | None = None
    token_type: str = BEARER
    issued_token_type: str | None = None

    @property
    def is_bearer(self) -> bool:
        """Whether this is an access token that an API accepts as it is (RFC 6750, RFC 8693 §2.2.1)."""
        is_access_token = self.issued_token_type in (None, ACCESS_TOKEN, JWT)
        return is_access_token and self.token_type.lower() == BEARER.lower()

    @property
    def headers(self) -> dict[str, str]:
        """The header for a request to the API; raises ValueError if this is not a bearer token."""
        if not self.is_bearer:
            raise ValueError("The server has issued a token that is not for an Authorization header.")
        return {"Authorization": f"{BEARER} {self.value}"}
