"""Try whether introspection works here, for real."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from django.core import checks
from django.core.cache import caches
from django.core.management.base import CommandParser
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db import Error as DatabaseError
from django.db.migrations.executor import MigrationExecutor

from ...backends.base import TokenBackend
from ...backends.diagnosis import Finding, Severity
from ...backends.registry import token_backends
from ...backends.routing import RoutingBackend
from ...cache_checks import cache_uses
from ...cache_properties import is_database_cache, use_problem
from ...check_messages import TAG
from ...conf import introspection_settings, setting_problem
from ...database_caches import database_of, is_table_missing
from ...exceptions import IntrospectionUnavailable, InvalidSetting
from ...hooks import line_of
from ...own_tables import missing_tables, own_models
from ...services.registry import services
from ...setting_values import NAME
from ..base import CommandOptions, CommandResult, ScriptCommand, shown
from ..caches import OtherProcessFailed, look
from ..memory import diagnose_memory


class LocatedFinding(NamedTuple):
    """A finding, and its subject."""

    about: str
    finding: Finding


class Command(ScriptCommand):
    """Check settings, database, caches, every token backend and every service, and say what to mend."""

    help = (
        "Try every token backend for real, with the settings of this project: reach its server, show the credentials, "
        "ask about a random token, compare the clocks, and let another process look into the caches. Get a token for "
        "every entry of SERVICES, or try to exchange a random one."
    )
    requires_system_checks = ()
    examples = (
        "manage.py introspection_doctor",
        "manage.py introspection_doctor --json",
        "manage.py introspection_doctor --issuer https://id.example.com/realms/shop",
    )
    exit_codes = "0 nothing is wrong, warnings aside; 1 something is; 2 wrong usage"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the issuers to try."""
        parser.add_argument(
            "--issuer",
            action="append",
            default=[],
            metavar="URL",
            help="try this issuer as well, with the backend that looks it up; may be given several times",
        )
        self.performed_by(parser, _diagnose)


def _diagnose(options: CommandOptions) -> CommandResult:
    found = list(everything(options["issuer"]))
    errors = sum(each.finding.severity == Severity.ERROR for each in found)
    members = {
        "worst": _worst(found),
        "findings": [
            {
                "about": each.about,
                "severity": each.finding.severity,
                "what": each.finding.what,
                "mend": each.finding.mend,
            }
            for each in found
        ],
    }
    failure = f"Errors: {errors}." if errors else ""
    return CommandResult(members, "\n".join(_lines(found)), failure=failure)


def everything(issuers: Iterable[str] = ()) -> Iterator[LocatedFinding]:
    """Find what can be found, the settings first; also about issuers that a backend looks up."""
    yield from _about("settings", _settings())
    for alias, labels in _labels_by_database().items():
        yield from _about("database", _database(alias, labels))
    made: list[TokenBackend] = []
    for alias in _aliases(token_backends):
        try:
            made.append(token_backends[alias])
        except InvalidSetting:  # the settings have said so
            continue
        yield from _about(f"backend {alias}", _diagnosed(made[-1]))
    for alias in _aliases(services):
        with suppress(InvalidSetting):  # the settings have said so
            yield from _about(f"service {alias}", services[alias].diagnose())
    for issuer in issuers:
        yield from _about(f"issuer {issuer}", _issuer(issuer, made))
    yield from _about("caches", _caches(made))
    if not setting_problem("REVOCATIONS") and introspection_settings.REVOCATIONS is not None:
        reads_cut_offs = any(backend.cut_off_issuer is not None for backend in made)
        memory = diagnose_memory(introspection_settings.REVOCATIONS, reads_cut_offs=reads_cut_offs)
        yield from _about("revocations", memory)


def _diagnosed(backend: TokenBackend) -> Iterator[Finding]:
    """Try a backend; an error in one of the project is a finding, and others are tried all the same."""
    try:
        yield from backend.diagnose()
    except Exception as error:  # noqa: BLE001 - the code of a project raises what it likes, and its text may hold values
        what = f"it raised {type(error).__name__} at {line_of(error, of=type(backend))}"
        yield Finding.error(what, "Correct the backend: requests with a token may get 500 until then.")


def _issuer(issuer: str, backends: Iterable[TokenBackend]) -> Iterator[Finding]:
    """Try an issuer that a routing backend looks up."""
    is_known = False
    for backend in backends:
        if not isinstance(backend, RoutingBackend) or backend.looked_up is None:
            continue
        try:
            found = backend.looked_up.backend_of(issuer)
        except IntrospectionUnavailable as problem:
            is_known = True
            yield Finding.error(f"the backend {backend.alias!r}: {problem}", "Look into the log for the reason.")
        else:
            if found is not None:
                is_known = True
                yield from _diagnosed(found)
    if not is_known:
        yield Finding.error("no backend knows it", "Compare it with the iss of a token, letter by letter.")


def _about(place: str, findings: Iterable[Finding]) -> Iterator[LocatedFinding]:
    return (LocatedFinding(place, finding) for finding in findings)


def _settings() -> Iterator[Finding]:
    """Run our own system checks, those of a deployment included; SILENCED_SYSTEM_CHECKS holds here as well."""
    found = checks.run_checks(tags=[TAG], include_deployment_checks=True)
    messages = [message for message in found if not message.is_silenced()]
    for message in messages:
        say = Finding.error if message.level >= checks.ERROR else Finding.warning
        place = "" if message.obj == NAME else f"{message.obj}: "
        yield say(f"{place}{message.msg} ({message.id})", message.hint or "")
    if not messages:
        yield Finding.ok("the system checks find nothing")


def _labels_by_database() -> dict[str, set[str]]:
    """Return the labels of this package's apps that have tables, by the alias of the database with these tables."""
    found: dict[str, set[str]] = {}
    for model in own_models():
        found.setdefault(router.db_for_write(model) or DEFAULT_DB_ALIAS, set()).add(model._meta.app_label)
    return found


def _database(alias: str, labels: Container[str]) -> Iterator[Finding]:
    """Look for migrations of some apps that are not applied in a database, and for tables that are not there."""
    try:
        executor = MigrationExecutor(connections[alias])
        missing = executor.migration_plan([key for key in executor.loader.graph.leaf_nodes() if key[0] in labels])
        tables = missing_tables(alias, labels)
    except DatabaseError as problem:
        yield Finding.error(f"the database {alias!r} does not answer: {type(problem).__name__}", "Check DATABASES.")
        return
    if missing:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in missing)
        yield Finding.error(f"not migrated: {names}", f"Run manage.py migrate --database {alias}.")
    elif tables:
        what = f"the database {alias!r} is migrated, and has no table {', '.join(tables)}"
        mend = f"Look at DATABASE_ROUTERS, and run manage.py migrate --database {alias}."
        yield Finding.error(what, mend)
    else:
        yield Finding.ok(f"the database {alias!r} is migrated")
        yield from _checked_rows(alias)


def _checked_rows(alias: str) -> Iterator[Finding]:
    """Run our own system checks of the rows in the tables."""
    found = checks.run_checks(tags=[checks.Tags.database], include_deployment_checks=True, databases=[alias])
    for message in found:
        if str(message.id).startswith(f"{TAG}.") and not message.is_silenced():
            yield Finding.warning(f"{message.msg} ({message.id})", message.hint or "")


def _aliases(objects: Iterable[str]) -> list[str]:
    try:
        return list(objects)
    except InvalidSetting:
        return []


def _caches(backends: Iterable[TokenBackend]) -> Iterator[Finding]:
    """Let another process look into every cache that is used."""
    try:
        uses = cache_uses(backends)
    except InvalidSetting:  # the settings have said so
        return
    if not uses:
        yield Finding.ok("none is used")
        return
    try:
        seen = look(uses)
    except OtherProcessFailed as problem:
        mend = "Run the command by manage.py, with --settings or DJANGO_SETTINGS_MODULE."
        yield Finding.warning(
            f"whether they are shared was not found out: no other process could look ({problem})", mend
        )
        return
    for alias, is_seen in seen.caches.items():
        yield _judged(alias, is_seen, uses[alias])
    if "tombstones" in {use for each in uses.values() for use in each}:
        yield _tombstones(seen.tombstones)


def _judged(alias: str, is_seen: bool | None, uses: list[str]) -> Finding:
    what = f"the cache {alias!r} ({', '.join(uses)})"
    if is_seen is None:
        if problem := use_problem(alias):
            return Finding.error(f"{what} {problem}", f"Install the package, or correct CACHES[{alias!r}].")
        if is_database_cache(alias) and is_table_missing(caches[alias]):
            database = database_of(caches[alias])
            return Finding.error(
                f"{what} has no table in the database {database!r}",
                f"Run manage.py createcachetable --database {database}.",
            )
        return Finding.error(f"{what} does not answer", f"Check CACHES[{alias!r}], and whether its server runs.")
    if not is_seen:
        return Finding.warning(
            f"{what} is not shared with other processes", "Use one that they all see, such as Redis."
        )
    return Finding.ok(f"{what} is shared with other processes")


def _tombstones(are_seen: bool | None) -> Finding:
    if are_seen:
        return Finding.ok("another process sees a tombstone")
    what = "a tombstone cannot be written" if are_seen is None else "another process does not see a tombstone"
    return Finding.error(what, "Until REVOCATIONS names a shared cache, revoked tokens live on in kept answers.")


def _worst(found: Iterable[LocatedFinding]) -> Severity:
    order = list(Severity)
    return max((each.finding.severity for each in found), key=order.index, default=Severity.OK)


def _lines(found: Iterable[LocatedFinding]) -> Iterator[str]:
    about = None
    for each in found:
        if each.about != about:
            about = each.about
            yield about
        finding = each.finding
        yield f"  {finding.severity:<9}{shown(finding.what)}"
        if finding.mend:
            yield f"           {shown(finding.mend)}"
