"""The endpoints that take leaked credentials: one for their holders, one for the alerts of a secret scanner."""

from __future__ import annotations

from functools import partial

from django.http import Http404, HttpRequest, HttpResponse

from ..addresses import client_address
from ..authorization_server import throttles
from ..authorization_server.deferred_work import defer_until_sent
from ..authorization_server.views.base import NOT_STORED, ProtocolView, json_response
from ..conf import introspection_settings
from .alerts import Alert, label, read_alerts
from .ending import ALERT, REPORT, Found, end_leaked
from .notices import send_notices
from .signatures import verify_alert


class LeakedView(ProtocolView):
    """End the credentials that a request contains; to hold a credential is the right to end it.

    An attacker who holds one could do more harm by using it. So nothing else is asked for.
    """

    challenges = ()
    repeatable = ("token",)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 whatever the values are: known, unknown or ended already.

        Beyond the limit the answer is 429, and the credentials have ended all the same: a stranger who shares an
        address with others cannot stop their reports.
        """
        form = self.form()
        form.require("token")
        values = [value.strip() for value in form.all("token")]  # a file ends with a line end, and no credential does
        found = end_leaked((Alert(value) for value in values), source=REPORT)
        _notify(request, found)
        throttles.count_reports(client_address(request), len(values))
        _raise_failure(found)
        return HttpResponse(headers=NOT_STORED)


class AlertsView(ProtocolView):
    """End the credentials in an alert of GitHub's secret scanning, or of a scanner that signs alerts in the same way.

    The answer labels each of them: `true_positive` if this server issued it, else `false_positive`.
    """

    challenges = ()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 with the labels, and 403 if the signature is not valid."""
        keys_url = introspection_settings.LEAKS.alert_keys
        if keys_url is None:
            raise Http404
        body = self.body()
        verify_alert(request.headers, body, keys_url)
        alerts = read_alerts(body)
        found = end_leaked(alerts, source=ALERT)
        _notify(request, found)
        _raise_failure(found)
        return json_response([label(alert, alert.value in found.values) for alert in alerts])


def _notify(request: HttpRequest, found: Found) -> None:
    if found.leaks and introspection_settings.LEAKS.mail:
        defer_until_sent(request, partial(send_notices, found.leaks))


def _raise_failure(found: Found) -> None:
    """Answer 503 if the caches could not be reached: the sender repeats, and then they follow."""
    if found.failure is not None:
        raise found.failure
