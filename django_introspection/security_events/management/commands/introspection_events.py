"""Security events on the command line."""

from __future__ import annotations

import time

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connections

from .... import cut_offs
from ....management.base import CommandOptions, CommandResult, ScriptCommand
from ....protocol.errors import IntrospectionUnavailable
from ...cutting import purge_expired
from ...delivering import deliver, waiting
from ...models import ReceivedStream, SentStream
from ...outbox import purge_events, write_verification
from ...polling import Polled, poll
from ...restoring import restore_cut_offs, restore_if_needed

PAUSE = 1
"""Seconds between two rounds of --forever, unless there is more to do."""
MOST_ROUNDS = 500
"""Replies of one stream without --forever: a transmitter that never ends must not hold the process."""


class Command(ScriptCommand):
    """Poll, deliver, verify and purge events, and restore cut-offs."""

    help = "Receive and send security events, and restore cut-offs."
    examples = (
        "manage.py introspection_events poll --json",
        "manage.py introspection_events poll --forever",
        "manage.py introspection_events deliver --json",
        "manage.py introspection_events deliver --forever",
        "manage.py introspection_events verify 3",
        "manage.py introspection_events restore",
        "manage.py introspection_events purge --json",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the sub-commands."""
        commands = parser.add_subparsers(dest="command", required=True)
        polls = self.add_command(commands, "poll", self._poll, "Ask the transmitters of polled streams for events.")
        delivers = self.add_command(commands, "deliver", self._deliver, "Push the events that wait to their receivers.")
        for repeated in (polls, delivers):
            repeated.add_argument("--forever", action="store_true", help="go on until the process is stopped")
        verifies = self.add_command(commands, "verify", _verify, "Write a verification event, and push it at once.")
        verifies.add_argument("stream", type=int, metavar="STREAM", help="the number of a sent stream in the admin")
        text = "Write every stored cut-off again, after the cache of REVOCATIONS has lost its data."
        self.add_command(commands, "restore", _restore, text)
        self.add_command(commands, "purge", _purge, "Delete cut-offs and events that have expired.")

    def _poll(self, options: CommandOptions) -> CommandResult:
        while True:
            total, failed = self._poll_streams(forever=options["forever"])
            restore_if_needed()
            if not options["forever"]:
                break
            connections.close_all()
            if not total.has_more:
                time.sleep(PAUSE)
        members = {"received": total.received, "refused": total.refused, "failed_streams": failed}
        text = f"Received: {total.received}\nRefused: {total.refused}\nFailed: {failed}"
        return CommandResult(members, text, failure="A stream could not be polled." if failed else "")

    def _poll_streams(self, *, forever: bool) -> tuple[Polled, int]:
        """Poll the streams in turn; neither one with many events nor one that fails keeps the others waiting."""
        streams = list(ReceivedStream.objects.filter(is_active=True, delivery=ReceivedStream.Delivery.POLL))
        wait, total, failed = forever and len(streams) == 1, Polled(), 0
        for _ in range(1 if forever else MOST_ROUNDS):
            unfinished = []
            for stream in streams:
                try:
                    polled = poll(stream, wait=wait)
                except (IntrospectionUnavailable, DatabaseError) as problem:
                    self.stderr.write(f"{stream}: {type(problem).__name__}")
                    failed += 1
                    continue
                total.received += polled.received
                total.refused += polled.refused
                if polled.has_more:
                    unfinished.append(stream)
            streams = unfinished
        total.has_more = bool(streams)
        return total, failed

    def _deliver(self, options: CommandOptions) -> CommandResult:
        while True:
            outcome = deliver(rounds=1 if options["forever"] else None)
            if not options["forever"]:
                break
            purge_events()
            cut_offs.look_soon()
            connections.close_all()
            if not outcome.has_more:
                time.sleep(PAUSE)
        members = {
            "delivered": outcome.delivered,
            "refused": outcome.refused,
            "failed_streams": outcome.failed_streams,
        }
        text = (
            f"Delivered: {outcome.delivered}\nRefused: {outcome.refused}\nStreams that failed: {outcome.failed_streams}"
        )
        return CommandResult(members, text, failure="A receiver failed." if outcome.failed_streams else "")


def _verify(options: CommandOptions) -> CommandResult:
    stream = SentStream.objects.filter(pk=options["stream"], is_active=True).first()
    if stream is None:
        raise CommandError("There is no active sent stream with this number.")
    state, failure, delivered = write_verification(stream), "", 0
    if stream.delivery == SentStream.Delivery.PUSH:
        outcome = deliver(only=stream)
        delivered = outcome.delivered
        if outcome.refused or waiting(stream).exists():
            failure = "The receiver has not taken every event, or the stream is paused after a failure; see the admin."
    members = {"state": state, "delivered": delivered}
    return CommandResult(members, f"State: {state}\nDelivered: {delivered}", failure=failure)


def _restore(options: CommandOptions) -> CommandResult:
    written = restore_cut_offs()
    return CommandResult({"cut_offs": written}, f"Cut-offs: {written}")


def _purge(options: CommandOptions) -> CommandResult:
    purged, events = purge_expired(), purge_events()
    return CommandResult({"cut_offs": purged, "events": events}, f"Cut-offs: {purged}\nEvents: {events}")
