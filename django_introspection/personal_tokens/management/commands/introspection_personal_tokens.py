"""Find personal tokens that expire soon, and notify their owners."""

from __future__ import annotations

from collections import Counter

from django.core.management.base import CommandParser

from ....conf import introspection_settings
from ....management.base import CommandOptions, CommandResult, ScriptCommand, number_of_days
from ....user_models import login_name
from ... import notices
from ...notices import Notice


class Command(ScriptCommand):
    """Work on personal tokens."""

    help = "Work on personal tokens."
    examples = (
        "manage.py introspection_personal_tokens expiring --days 30 --json",
        "manage.py introspection_personal_tokens expiring --send",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-command."""
        commands = parser.add_subparsers(required=True, metavar="COMMAND")
        text = "List the tokens that expire soon and whose owners were not notified yet, or notify the owners."
        expiring = self.add_command(commands, "expiring", _expiring, text)
        expiring.add_argument(
            "--days", type=number_of_days, help="expires within so many days; those of the setting NOTICES"
        )
        expiring.add_argument("--send", action="store_true", help="send the e-mails and the signals, once each")


def _expiring(options: CommandOptions) -> CommandResult:
    days = options["days"]
    thresholds = introspection_settings.PERSONAL_TOKENS.notices if days is None else (days,)
    found, sent, failed = [], 0, Counter[str]()
    for notice in notices.due(thresholds):
        found.append(notice)
        if options["send"]:
            try:
                sent += notices.send(notice)
            except Exception as error:  # noqa: BLE001 - each backend of e-mails has errors of its own
                failed[type(error).__name__] += 1
    tokens = [_shown(notice) for notice in found]
    members = {"sent": sent, "failed": failed.total()} if options["send"] else {"tokens": tokens}
    text = None if options["send"] else "\n".join(map(_line, found)) or "No token expires soon."
    failure = (
        f"{failed.total()} e-mails could not be sent ({', '.join(failed)}). Run the command again." if failed else ""
    )
    return CommandResult(members, text, failure)


def _shown(notice: Notice) -> dict[str, object]:
    row = notice.row
    return {
        "id": str(row.pk),
        "user": login_name(row.user),
        "name": row.name,
        "expires_at": row.token.expires_at,
        "days": notice.days,
    }


def _line(notice: Notice) -> str:
    row = notice.row
    return f"{row.pk} {row.token.expires_at.isoformat()} {login_name(row.user)!a} {row.name!a}"
