"""The frame of every endpoint: DRF without anything that a project's settings could change."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.http import HttpRequest, HttpResponse, QueryDict, RawPostDataException, UnreadablePostError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from ...protocol.challenge import BASIC
from ...protocol.error_reports import conceal_locals
from ...protocol.errors import (
    IntrospectionUnavailable,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
    TooManyRequests,
)
from ...protocol.form import MAX_BODY, Form, is_form, parse_form
from ..deferred_work import defer_until_sent, run_deferred_work
from ..dpop import next_nonce
from ..restoring import restore_if_needed

logger = logging.getLogger("django_introspection")

RETRY_AFTER = 5
"""Seconds after which a caller may try again when we could not answer."""


class ProtocolView(APIView):
    """Serve one endpoint of the standards the same way in every project.

    Every policy that an APIView takes from REST_FRAMEWORK is set here. Only the form body and the `Authorization`
    header of a request are read, and every answer is JSON. The view runs outside of ATOMIC_REQUESTS, because an error
    answer must not undo the revocation that caused it.
    """

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = DefaultContentNegotiation
    versioning_class = None
    metadata_class = None

    http_method_names = ("get", "head", "post")

    challenges: ClassVar[tuple[str, ...]] = (BASIC,)
    """How a caller may authenticate, for the 401 answers."""
    repeatable: ClassVar[tuple[str, ...]] = ()
    """Parameters that may come more than once."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view, outside of every database's ATOMIC_REQUESTS."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @conceal_locals
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer a request; reports of an error show neither its parameters nor our variables."""
        vars(request)["sensitive_post_parameters"] = "__ALL__"
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            _forget_body(request)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Keep Django's own request: DRF's would parse and authenticate on access."""
        self.http_request = request
        return request

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Skip the steps of DRF."""
        defer_until_sent(self.http_request, restore_if_needed)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Add no headers of DRF's."""
        return {}

    def form(self) -> Form:
        """Read the parameters from the body; raises InvalidRequest, or TemporarilyUnavailable if the body is gone."""
        return parse_form(self.http_request.META.get("CONTENT_TYPE", ""), self.body(), repeatable=self.repeatable)

    def body(self) -> bytes:
        """Read the body; raises InvalidRequest, or TemporarilyUnavailable if the body is gone."""
        meta = self.http_request.META
        try:
            length = int(meta.get("CONTENT_LENGTH") or 0)
            if length > MAX_BODY:
                raise RequestDataTooBig
            body = self.http_request.body
        except RawPostDataException:
            body = self._body_after_middleware(meta.get("CONTENT_TYPE", "")) if length else b""
        except RequestDataTooBig:
            raise InvalidRequest("The body is too large.", status=413) from None
        except (ValueError, UnreadablePostError):
            raise InvalidRequest("The body cannot be read.") from None
        _forget_body(self.http_request)
        return body

    def _body_after_middleware(self, content_type: str) -> bytes:
        """Return the body of a request whose stream a middleware has read, as far as Django kept it.

        Django keeps the parameters of a multipart body, which is refused by its type, and DRF those of a form.
        """
        kept: bytes = self.http_request.POST.urlencode().encode()
        if kept or not is_form(content_type):
            return kept or b"a body of another type"
        logger.error("%s cannot answer: a middleware has read the body and did not keep it", type(self).__name__)
        raise TemporarilyUnavailable("The server cannot answer at the moment.")

    def handle_exception(self, exc: Exception) -> Any:
        """Answer an error in the form of RFC 6749 §5.2; raise every other exception again, which is a bug."""
        match exc:
            case OAuthError():
                return self.refuse(exc)
            case MethodNotAllowed():
                response = self.refuse(InvalidRequest("The method is not allowed.", status=405))
                response["Allow"] = ", ".join(self.allowed_methods)
                return response
            case SuspiciousOperation():
                return self.refuse(InvalidRequest("The request is malformed."))
            case DatabaseError() | InterfaceError() | IntrospectionUnavailable():
                cause = exc.__cause__ if isinstance(exc, IntrospectionUnavailable) else None
                logger.error("%s cannot answer: %s", type(self).__name__, type(cause or exc).__name__)
                return self.refuse(TemporarilyUnavailable("The server cannot answer at the moment."))
        raise exc

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the next nonce to the answer to a proof, and start deferred work when it has been sent."""
        if "HTTP_DPOP" in self.http_request.META:
            for name, value in next_nonce().items():
                response[name] = value
        run_deferred_work(self.http_request, response)
        return response

    def refuse(self, refusal: OAuthError) -> HttpResponse:
        """Return the error answer, with a challenge on every 401."""
        response = json_response(refusal.to_dict(), status=refusal.status)
        if refusal.status == 401:
            response["WWW-Authenticate"] = ", ".join(refusal.challenges or self.challenges)
        for name, value in refusal.headers.items():
            response[name] = value
        if isinstance(refusal, TooManyRequests):
            response["Retry-After"] = str(refusal.retry_after)
        if refusal.status == 503:
            response["Retry-After"] = str(RETRY_AFTER)
        return response


def _forget_body(request: HttpRequest) -> None:
    """Leave no body in a request: error trackers send it along, also with a line of the log."""
    vars(request).update(_body=b"", _post=_NO_PARAMETERS, _files=MultiValueDict())


NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""The headers of an answer that no cache keeps (RFC 6749 §5.1)."""
_NO_PARAMETERS = QueryDict(encoding="utf-8")
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def json_response(members: Mapping[str, Any] | Sequence[Any], *, status: int = 200) -> HttpResponse:
    """Return a JSON answer that no cache keeps (RFC 6749 §5.1)."""
    return HttpResponse(_to_json(members), status=status, content_type="application/json", headers=NOT_STORED)


def public_response(members: Mapping[str, Any], *, max_age: int) -> HttpResponse:
    """Return a JSON document that caches may keep for some seconds."""
    response = json_response(members)
    response["Cache-Control"] = f"public, max-age={max_age}"
    del response["Pragma"]
    return response
