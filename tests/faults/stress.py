"""Everything at once: threads of several processes issue, refresh, revoke, rotate, disable, delete, purge, introspect.

Each call is logged with the moments of its start and its end, which all processes of a machine measure alike. As a
program (`python -m tests.faults.stress`): read the orders, wait for a line, and print the log.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Holder:
    """A client, as the requests need it; only the process `owner` disables, deletes or rotates it."""

    pk: str
    client_id: str
    secret: str
    owner: int
    fate: str
    """`steady`, `toggled`, `deleted` or `rotated`."""


@dataclass
class Known:
    """A token that clients know."""

    value: str
    kind: str
    grant: str
    holder: str


@dataclass
class Orders:
    """What one process has to do."""

    number: int
    seed: int
    calls: int
    threads: int
    settings: dict[str, Any]
    holders: list[Holder]
    tokens: list[Known]


@dataclass
class Event:
    """One call, from `start` to `end`; `subject` is a token, a grant, a client or a secret."""

    what: str
    subject: str
    start: float
    end: float = 0
    status: int = 0
    result: Any = None
    known: list[dict[str, str]] = field(default_factory=list)
    """Tokens that the call has made."""


def everywhere(orders: list[Orders], database_url: str) -> list[Event]:
    """Do it in a process for each of the orders, and return all events."""
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "tests.faults.stress"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, env=environment, **pipes)) for _ in orders]
        for process, each in zip(processes, orders, strict=True):
            print(json.dumps(asdict(each)), file=process.stdin, flush=True)
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            print("go", file=process.stdin, flush=True)
        printed = [process.communicate(timeout=300)[0] for process in processes]
    return [Event(**each) for events in printed for each in json.loads(events)]


class _Client:
    """One thread of clients."""

    def __init__(self, orders: Orders, thread: int, shared: _Shared) -> None:
        self._random = random.Random(f"{orders.seed} {orders.number} {thread}")  # noqa: S311 - no secret
        self._orders, self._shared = orders, shared

    def run(self) -> None:
        from django.db import connections

        weights = {
            self.introspect: 40,
            self.refresh: 16,
            self.issue: 8,
            self.revoke: 8,
            self.use_secret: 8,
            self.rotate: 3,
            self.toggle: 4,
            self.delete: 1,
            self.purge: 2,
        }
        try:
            for _ in range(self._orders.calls):
                (do,) = self._random.choices(list(weights), list(weights.values()))
                do()
        finally:
            connections.close_all()

    def warm_up(self) -> None:
        """Import what the first call would import."""
        from django.db import connections

        self.introspect()
        connections.close_all()

    def introspect(self) -> None:
        token = self._any_token()
        api = next(each for each in self._orders.holders if each.fate == "api")
        event = self._post("introspect", token.value, "/oauth/introspect", api, api.secret, token=token.value)
        event.result = (event.result or {}).get("active")

    def refresh(self) -> None:
        token = self._any_token("refresh")
        holder = self._holder(token.holder)
        form = {"grant_type": "refresh_token", "refresh_token": token.value}
        event = self._post("refresh", token.value, "/oauth/token", holder, holder.secret, **form)
        if event.status == 200:
            self._learn(event, token.grant, holder)

    def issue(self) -> None:
        holder = self._random.choice([each for each in self._orders.holders if each.fate in ("steady", "toggled")])
        form = {"grant_type": "client_credentials"}
        event = self._post("issue", holder.client_id, "/oauth/token", holder, holder.secret, **form)
        if event.status == 200:
            self._learn(event, event.result["access_token"], holder)

    def revoke(self) -> None:
        token = self._any_token()
        holder = self._holder(token.holder)
        self._post("revoke", token.value, "/oauth/revoke", holder, holder.secret, token=token.value)

    def use_secret(self) -> None:
        """Authenticate with the first secret of a client whose secrets are rotated."""
        holder = self._random.choice([each for each in self._orders.holders if each.fate == "rotated"])
        self._post("use", holder.client_id, "/oauth/introspect", holder, holder.secret, token="none")

    def rotate(self) -> None:
        from django_introspection.authorization_server.provisioning import rotate_secret
        from django_introspection.models.fields import now

        def work(client: Any) -> None:
            rotate_secret(client, others_expire_at=now())

        self._change("rotated", "rotate", work, chance=0.2)

    def toggle(self) -> None:
        def work(client: Any) -> None:
            client.is_active = not client.is_active
            event.what = "enable" if client.is_active else "disable"
            client.save()

        event = Event("", "", 0)
        self._change("toggled", "toggle", work, event=event)

    def delete(self) -> None:
        self._change("deleted", "delete", lambda client: client.delete())

    def purge(self) -> None:
        from django_introspection.authorization_server import purging
        from django_introspection.models import Token
        from django_introspection.models.fields import now

        self._logged(Event("purge", "", 0), lambda: sum(purging.purge(purging.expired(Token, now()), batch=5)))

    def _change(
        self, fate: str, what: str, work: Callable[[Any], Any], *, event: Event | None = None, chance: float = 1
    ) -> None:
        """Change a client of this process, one thread at a time."""
        from django_introspection.models import Client

        mine = [each for each in self._orders.holders if each.fate == fate and each.owner == self._orders.number]
        holder = self._random.choice(mine)
        if self._random.random() > chance or not self._shared.changing.acquire(blocking=False):
            return
        try:
            client = Client.objects.filter(pk=holder.pk).first()
            if client is not None:
                event = event or Event(what, "", 0)
                event.subject = holder.client_id
                self._logged(event, lambda: work(client))
        finally:
            self._shared.changing.release()

    def _post(self, what: str, subject: str, path: str, holder: Holder, secret: str, **form: str) -> Event:
        from tests import endpoints

        event = Event(what, subject, 0)

        def ask() -> Any:
            answer = endpoints.post(path, form, auth=endpoints.basic(holder.client_id, secret))
            event.status = answer.status_code
            return json.loads(answer.content or "{}")

        self._logged(event, ask)
        return event

    def _logged(self, event: Event, work: Callable[[], Any]) -> None:
        event.start = time.monotonic()
        try:
            event.result = work()
        except Exception as error:  # noqa: BLE001 - the judge wants to see it
            event.what, event.result = f"{event.what} failed", repr(error)
        event.end = time.monotonic()
        self._shared.events.append(event)

    def _learn(self, event: Event, grant: str, holder: Holder) -> None:
        for kind in ("access", "refresh"):
            if value := event.result.get(f"{kind}_token"):
                made = Known(value, kind, grant, holder.client_id)
                event.known.append(asdict(made))
                self._shared.tokens.append(made)
        event.result = None

    def _any_token(self, kind: str | None = None) -> Known:
        """Return a token of the last ones more often than an old one."""
        wanted = [each for each in self._shared.tokens if kind in (None, each.kind)]
        return self._random.choice(wanted[-30:] if self._random.random() < 0.6 else wanted)

    def _holder(self, client_id: str) -> Holder:
        return next(each for each in self._orders.holders if each.client_id == client_id)


class _Shared:
    """What the threads of a process share."""

    def __init__(self, tokens: list[Known]) -> None:
        self.tokens = tokens
        self.events: list[Event] = []
        self.changing = threading.Lock()


def main() -> None:
    import django
    from django.conf import settings

    read = json.loads(sys.stdin.readline())
    holders, tokens = (
        [kind(**each) for each in read.pop(name)] for kind, name in ((Holder, "holders"), (Known, "tokens"))
    )
    orders = Orders(**read, holders=holders, tokens=tokens)
    for name, value in orders.settings.items():
        setattr(settings, name, value)
    django.setup()
    _Client(orders, -1, _Shared(orders.tokens)).warm_up()
    shared = _Shared(orders.tokens)
    clients = [_Client(orders, number, shared) for number in range(orders.threads)]
    threads = [threading.Thread(target=client.run) for client in clients]
    print("ready", flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps([asdict(event) for event in shared.events]))


if __name__ == "__main__":
    main()
