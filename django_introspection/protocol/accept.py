"""The header `Accept` of a request: which of several media types a client prefers (RFC 9110 §12.5.1)."""

from __future__ import annotations

import re

_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\Z")


def preferred(accept: str, *media_types: str) -> str:
    """Return the media type that a client prefers: the first one if it accepts all of them alike, or none.

    The server may disregard the header, so that no request fails because of it (RFC 9110 §12.5.1).
    """
    return max(media_types, key=lambda media_type: quality(accept, media_type))


def quality(accept: str, media_type: str) -> float:
    """Return the weight that a header gives to a media type, 0 if it does not accept it.

    The most exact range decides. Parameters other than `q` make no difference, and a malformed element is ignored.
    """
    ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    best = (-1, 0.0)
    for element in accept.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if name in ranges and _QUALITY.match(weight):
            best = max(best, (ranges.index(name), float(weight)))
    return best[1]
