"""`WWW-Authenticate` challenges (RFC 9110 §11.6.1, RFC 6750 §3)."""

from __future__ import annotations

from .errors import error_text

REALM = "oauth"


def challenge(scheme: str, *, realm: str = REALM, **params: str | None) -> str:
    """Render one challenge: `realm` always, then each parameter that has a value, once.

    Values are brought into the characters of RFC 6750 §3, so that no text can end the quotes or the line.
    """
    pairs = {"realm": realm, **params}
    rendered = (f'{name}="{error_text(value)}"' for name, value in pairs.items() if value)
    return f"{scheme} {', '.join(rendered)}"


BASIC = challenge("Basic")
BEARER = challenge("Bearer")
