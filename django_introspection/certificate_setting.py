"""The setting CLIENT_CERTIFICATES as a typed value: how the certificate of a TLS client gets here."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .protocol.certificate import FORMS
from .protocol.identifiers import is_origin
from .setting_values import BOOLEAN, check_keys, invalid_setting, one_of

SERVER = "server"
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_USUAL_HEADERS = {"rfc9440": "Client-Cert", "envoy": "X-Forwarded-Client-Cert"}
_NAME = "CLIENT_CERTIFICATES"


class ClientCertificates(NamedTuple):
    """The form and the header of certificates, whether their chain is validated, and the origin that asks for them.

    `form` is `server` if the web server itself ends TLS. `verify_header` is the header in which a proxy says SUCCESS
    for a validated chain; None if `is_validated` says it of all certificates.
    """

    form: str
    header: str | None
    is_validated: bool
    verify_header: str | None
    origin: str | None

    @classmethod
    def read(cls, entry: Any) -> ClientCertificates:
        """Read CLIENT_CERTIFICATES; raises InvalidSetting."""
        check_keys(entry, ("FORM", "HEADER", "VALIDATED", "ORIGIN"), _NAME)
        form, origin = entry.get("FORM"), entry.get("ORIGIN")
        if form not in (SERVER, *FORMS):
            raise invalid_setting(_NAME, "FORM", problem=one_of((SERVER, *FORMS)))
        if origin is not None and not (isinstance(origin, str) and is_origin(origin)):
            raise invalid_setting(_NAME, "ORIGIN", problem="must be an https URL without path")
        if form == SERVER:
            if "HEADER" in entry or "VALIDATED" in entry:
                raise invalid_setting(_NAME, problem="has 'HEADER' or 'VALIDATED', which belong to a proxy")
            return cls(form, None, is_validated=False, verify_header=None, origin=origin)
        validated = entry.get("VALIDATED", False)
        is_header = isinstance(validated, str)
        if not is_header and not isinstance(validated, bool):
            raise invalid_setting(_NAME, "VALIDATED", problem=f"{BOOLEAN} or the name of a header")
        return cls(
            form,
            _header("HEADER", entry.get("HEADER", _USUAL_HEADERS.get(form))),
            is_validated=validated is True,
            verify_header=_header("VALIDATED", validated) if is_header else None,
            origin=origin,
        )

    @property
    def may_be_validated(self) -> bool:
        """Whether the chain of any certificate is validated, as `tls_client_auth` needs."""
        return self.form == SERVER or self.is_validated or self.verify_header is not None


def _header(key: str, name: Any) -> str:
    """Return the name of a header as WSGI and Django have it."""
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise invalid_setting(_NAME, key, problem="must be the name of a header")
    return f"HTTP_{name.upper().replace('-', '_')}"
