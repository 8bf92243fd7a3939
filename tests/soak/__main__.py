"""Run mixed traffic for a while: `python -m tests.soak --minutes 30`.

First the maximum rate is measured, then operations go on at 80 % of it. Every answer is compared with the oracle. The
exit status is 1 if an answer was wrong, something was never done, or, in a run of ten minutes or more, something grew.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from random import Random
from time import monotonic

from . import report
from .calling import Caller
from .changes import Changes
from .faults import FAULTS, SETTLE
from .judging import growth, problems
from .operating import Operator
from .operations import Operations
from .oracle import Oracle
from .pace import Pace, mix_of
from .population import Population
from .record import Phase, Record
from .servers import Servers, running_servers
from .site import VIEWS
from .watching import Watcher

SHARE = 0.8
"""Of the maximum rate."""
CALLERS = (4, 8, 16, 32)
"""How many callers at once the maximum is looked for with."""
FIRST_TOKENS = 60
NEEDED = (*VIEWS, "token", "login", "introspect", "introspect by bearer", "forged token", "refresh", "revoke")


def main() -> None:
    options = _options()
    record = Record(options.seed)
    print(f"SOAK_SEED={record.seed}", flush=True)
    with running_servers() as servers:
        run = Run(servers, record, options.minutes * 60, with_faults=options.faults)
        steady = asyncio.run(run.whole())
    sys.exit(finish(run, steady, write=options.write))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="of steady traffic (30)")
    parser.add_argument("--faults", action="store_true", help="then let servers fail, for about three minutes")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of the random choices, to make them again")
    parser.add_argument("--write", action="store_true", help="write the tables of the documentation")
    return parser.parse_args()


class Run:
    """One run against servers that are up."""

    def __init__(self, servers: Servers, record: Record, seconds: float, *, with_faults: bool) -> None:
        self._servers, self.record, self._seconds = servers, record, seconds
        self._faults = FAULTS if with_faults else {}
        self._random, self._over = Random(record.seed), asyncio.Event()  # noqa: S311 - choices, not secrets
        self.maximum = 0.0

    async def whole(self) -> Phase:
        """Warm up, measure the maximum, run the steady traffic and then the faults; return the steady phase."""
        record = self.record
        async with Caller(self._servers, record) as caller:
            self._population = Population(self._random)
            self._operations = Operations(caller, Oracle(), self._population, record, self._random)
            self._pace = Pace(mix_of(self._operations, Changes(self._operations, self._over)), self._random)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sort())
                record.begin("warm-up")
                await self._warm_up()
                tasks.create_task(self._operator().work())  # its processes take part of the maximum
                rate = SHARE * await self._measure()
                steady = record.begin("steady")
                tasks.create_task(self._pace.at_rate(rate, self._over))
                tasks.create_task(Watcher(self._servers, record).work(self._over, max(1, self._seconds / 200)))
                await asyncio.sleep(self._seconds)
                await self._fail()
                record.begin("end")
                self._over.set()
        record.phase.ended = monotonic()
        return steady

    def _operator(self) -> Operator:
        return Operator(self._operations, self._servers, self._over, pause=min(6, self._seconds / 15))

    async def _sort(self) -> None:
        while not self._over.is_set():
            self._population.sort()
            await asyncio.sleep(0.5)

    async def _warm_up(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(FIRST_TOKENS):
                tasks.create_task(self._operations.issue_to_machine())
                tasks.create_task(self._operations.log_in())
        await self._pace.flat_out(CALLERS[0], self._level)

    @property
    def _level(self) -> float:
        """The seconds for which each number of callers is tried."""
        return min(10, max(1.5, self._seconds / 60))

    async def _measure(self) -> float:
        """Return the greatest rate of operations, and keep that of answers."""
        best = 0.0
        for callers in CALLERS:
            phase = self.record.begin(f"{callers} callers")
            rate = await self._pace.flat_out(callers, self._level)
            answers = phase.answers / (monotonic() - phase.begun)
            best, self.maximum = max(best, rate), max(self.maximum, answers)
            print(f"{phase.name}: {answers:.0f} answers a second", flush=True)
        return best

    async def _fail(self) -> None:
        for name, fault in self._faults.items():
            print(f"fault: {name}", flush=True)
            phase = self.record.begin(name, has_faults=True)
            await fault(self._servers, self._random)
            phase.fault_ended = monotonic()
            await asyncio.sleep(SETTLE)

    @property
    def late(self) -> int:
        return self._pace.late


def finish(run: Run, steady: Phase, *, write: bool) -> int:
    """Print and write the result, and return the exit status."""
    record, seconds = run.record, steady.ended - steady.begun
    grown = growth(record.samples, steady.begun, steady.ended)
    used = {operation for phase in record.phases for operation, _ in phase.outcomes}
    failures = problems(wrong=len(record.wrong), used=used, needed=NEEDED, grown=grown, seconds=seconds)
    for table in (report.phases(record), report.operations(steady), report.quantities(grown)):
        print(f"\n{report.text(table)}")
    rate = steady.answers / seconds
    print(f"\n{rate:.0f} answers a second, {rate / run.maximum:.0%} of the maximum of {run.maximum:.0f};", end=" ")
    print(f"{run.late} operations begun late; " + ", ".join(f"{n} {name}" for name, n in sorted(record.counts.items())))
    report.write_json(record, grown, seconds=seconds, maximum=run.maximum, rate=rate, late=run.late)
    if write:
        report.write_tables(
            run=report.run(record, answers=steady.answers, seconds=seconds, maximum=run.maximum),
            operations=report.operations(steady),
            quantities=report.quantities(grown),
        )
    print("\n".join(failures) or f"passed: no wrong answer among {sum(phase.answers for phase in record.phases):,}")
    return 1 if failures else 0


if __name__ == "__main__":
    main()
