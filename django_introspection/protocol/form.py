"""The one strict reader of request parameters: form only, body only, no repeats (RFC 6749 §3.2, App. B)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from .errors import InvalidRequest

FORM_TYPE = "application/x-www-form-urlencoded"
MAX_BODY = 1024 * 1024
"""The largest request body in bytes; a token, an assertion and a few parameters need far less."""
MAX_FIELDS = 100


class Form:
    """Hold the parameters of a request; one without a value counts as absent (RFC 6749 §3.2)."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """Return the value of a parameter, None if it is absent or empty."""
        for value in self._values.get(name, ()):
            if value:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter that may be repeated."""
        return [value for value in self._values.get(name, ()) if value]

    def require(self, name: str) -> str:
        """Return the value of a parameter; raises InvalidRequest if there is none."""
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"The parameter {name} is missing.")
        return value

    def __repr__(self) -> str:
        return f"<Form: {', '.join(sorted(self._values))}>"


def parse_form(content_type: str, body: bytes, *, repeatable: Iterable[str] = ()) -> Form:
    """Read a form body; raises InvalidRequest (400, or 413 and 415 as its status).

    Only the names in `repeatable` may appear more than once (`resource`: RFC 8707 §2).
    """
    if not body:
        return Form({})
    if not is_form(content_type):
        raise InvalidRequest(f"The body must be {FORM_TYPE} in UTF-8.", status=415)
    if len(body) > MAX_BODY:
        raise InvalidRequest("The body is too large.", status=413)
    values: dict[str, list[str]] = {}
    for name, value in _pairs(body):
        values.setdefault(name, []).append(value)
    for name in values.keys() - set(repeatable):
        if len(values[name]) > 1:
            raise InvalidRequest("A parameter is repeated.")
    return Form(values)


def is_form(content_type: str) -> bool:
    """Return whether a body of this content type is a form in UTF-8."""
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return media_type.strip().lower() == FORM_TYPE and charset in ("", "utf-8", "utf8")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.") from None
    except ValueError:
        raise InvalidRequest("The body has too many parameters.") from None
