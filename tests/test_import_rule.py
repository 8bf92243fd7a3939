"""Imports go one way: protocol <- revocations <- models <- outbound <- backends <- both sides <- faces."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import django_introspection

PACKAGE = "django_introspection"
ROOT = Path(django_introspection.__file__).parent

ROOMS = {
    "protocol": "protocol",
    "signals": "words",
    "exceptions": "words",
    "conf": "settings",
    "setting_values": "settings",
    "certificate_setting": "settings",
    "personal_token_setting": "settings",
    "cache_properties": "settings",
    "hooks": "settings",
    "own_tables": "settings",
    "e_mails": "words",
    "user_models": "words",
    "check_messages": "settings",
    "cache_calls": "cache calls",
    "database_caches": "cache calls",
    "shared_caches": "cache calls",
    "notices": "cache calls",
    "revocations": "revocations",
    "cut_offs": "revocations",
    "jose": "jose",
    "jwe": "jose",
    "rsa_moduli": "jose",
    "keys": "keys",
    "proofs": "proofs",
    "addresses": "connections",
    "client_certificates": "connections",
    "x509": "x509",
    "problem_texts": "problem texts",
    "secret_references": "problem texts",
    "json_form_field": "problem texts",
    "models": "models",
    "migrations": "migrations",
    "outbound": "outbound",
    "backends.database": "database backend",
    "backends": "backends",
    "services": "services",
    "authorization_server": "authorization server",
    "revocation_feed": "feed server",
    "resource_server.apps": "apps",
    "resource_server": "resource server",
    "authentication": "faces",
    "permissions": "faces",
    "decorators": "faces",
    "forward_auth": "faces",
    "middleware": "faces",
    "throttling": "faces",
    "types": "faces",
    "contrib": "contrib",
    "contrib.issuers": "issuers",
    "contrib.opentelemetry": "telemetry",
    "security_events": "security events",
    "testing": "testing",
    "contrib.hashed_secrets": "bridges",
    "contrib.hashing_turns": "bridges",
    "contrib.right_secrets": "bridges",
    "contrib.stored_times": "bridges",
    "contrib.subjects": "bridges",
    "contrib.watching": "bridges",
    "contrib.project_tokens": "bridges",
    "contrib.seen_tokens": "bridges",
    "contrib.adopting": "bridges",
    "contrib.authtoken": "bridges",
    "contrib.knox": "bridges",
    "contrib.api_keys": "bridges",
    "contrib.allauth": "bridges",
    "contrib.oauth_toolkit": "bridges",
    "security_log": "security log",
    "configuration_log": "security log",
    "counters": "counters",
    "checks": "checks",
    "cache_checks": "checks",
    "apps": "apps",
    "admin": "admin",
    "templatetags": "admin",
    "management": "commands",
    "management.base": "command base",
    "management.caches": "doctor",
    "management.memory": "doctor",
    "management.commands.introspection_doctor": "doctor",
    "resource_server.management": "doctor",
    "management.commands.introspection_token": "token inspection",
    "resource_server.management.commands.introspection_token": "token inspection",
    "form_ids": "models",
    "self_service": "self-service",
    "leaks": "leaks",
    "leaks.patterns": "scanner patterns",
    "personal_tokens": "personal tokens",
    "personal_tokens.admin": "personal tokens in the admin",
    "urls": "urls",
    "well_known_urls": "urls",
    "": "front door",
}
"""The room of a module or package; the most exact name wins, and a file without one fails the test."""

FOUNDATION = {"protocol", "words", "settings", "cache calls"}
"""What everything above may use: values, names of errors and signals, the settings, and guarded calls to caches."""
ALLOWED: dict[str, set[str]] = {
    "protocol": set(),
    "words": {"protocol"},
    "settings": {"protocol", "words"},
    "cache calls": set(),  # nothing of ours: whatever calls a cache calls it in this way
    "revocations": {"protocol", "settings", "cache calls"},
    "jose": {"protocol"},  # the one place that knows joserfc: models validate with it, backends and both sides verify
    "keys": FOUNDATION | {"jose"},  # below the backends, since a JWT is verified before it is looked up
    "connections": FOUNDATION,  # what the server and trusted proxies say about the client of a connection
    "x509": {"protocol"},  # the one place that reads what is in a certificate
    "proofs": FOUNDATION | {"jose", "outbound"},  # both sides verify them
    "problem texts": {"protocol"},  # errors of forms, for our models and for those of trusted issuers
    # rows end with the tombstones and the records of their tokens
    "models": {"protocol", "jose", "x509", "words", "settings", "problem texts", "revocations"},
    "migrations": {"models"},
    "outbound": FOUNDATION | {"jose"},  # a client signs as a server does
    "backends": FOUNDATION | {"outbound", "jose", "keys", "revocations"},  # tombstones end kept answers
    "services": FOUNDATION | {"outbound", "backends"},  # they read options and tell operators as backends do
    "database backend": FOUNDATION | {"keys", "models", "backends"},
    "authorization server": FOUNDATION
    | {
        *("jose", "keys", "proofs", "connections", "x509", "models", "revocations"),
        *("outbound", "backends", "database backend"),
    },
    # the ends of our tokens, which the authorization server writes, for its callers
    "feed server": FOUNDATION | {"models", "revocations", "outbound", "backends", "authorization server"},
    "resource server": FOUNDATION | {"jose", "proofs", "connections", "outbound", "backends"},
    "faces": FOUNDATION | {"backends", "resource server"},
    "contrib": FOUNDATION | {"faces"},
    "issuers": FOUNDATION | {"backends", "problem texts"},  # a table of its own, also on a resource server without ours
    # tables of its own, on a resource server as well; it signs as a server does and verifies as a backend does
    "security events": FOUNDATION
    | {"jose", "keys", "outbound", "revocations", "problem texts", "command base", "backends"},
    "telemetry": FOUNDATION | {"outbound", "front door"},  # what is observed, and the version that observes it
    "testing": FOUNDATION | {"jose", "backends"},
    # their tokens are a source like our own tables, their clients callers of our endpoint, their revocations ours
    "bridges": FOUNDATION | {"connections", "models", "backends", "authorization server", "revocations"},
    "security log": {"protocol", "words"},
    "checks": FOUNDATION | {"jose", "keys", "backends", "services", "resource server"},
    "apps": {"checks", "authorization server", "resource server", "security log", "counters", "contrib", "bridges"},
    "counters": FOUNDATION,
    # the token debugger shows what both sides make of a token, the overview what was counted
    "admin": FOUNDATION
    | {"keys", "models", "backends", "database backend", "authorization server", "resource server", "counters"},
    "leaks": FOUNDATION
    | {"connections", "models", "outbound", "database backend", "authorization server"},  # its faces are endpoints
    "scanner patterns": {"protocol"},
    "self-service": FOUNDATION | {"models", "authorization server"},
    "personal tokens in the admin": {"models", "admin", "personal tokens"},
    # their pages are self-service, their API is protected as those of a project are
    "personal tokens": FOUNDATION
    | {
        *("models", "backends", "database backend", "authorization server"),
        *("faces", "self-service", "command base"),
    },
    "command base": FOUNDATION,
    "doctor": FOUNDATION
    | {"command base", "checks", "backends", "services", "revocations"},  # a pure resource server has it as well
    "token inspection": FOUNDATION | {"command base", "resource server"},  # so has this
    "commands": FOUNDATION
    | {
        *("command base", "jose", "keys", "models", "backends", "database backend"),
        "scanner patterns",
        "bridges",  # tokens of other packages are copied
        "authorization server",  # an operator asks as a caller of the endpoint does
        "security events",  # cut-offs are restored with the tombstones
    },
    "urls": {"authorization server", "feed server", "resource server"},
    "front door": {"protocol", "backends"},
}
"""What a room may import, beside itself."""

LATE = {
    ("models.client", "authorization_server.client_sources"): "clean() asks the source of a client for its key",
    ("models.managers", "authorization_server.issuing"): "register() and issue() are doors to the side that issues",
    ("models.managers", "authorization_server.ending"): "no row of a token is deleted before its tombstone is written",
    ("models.token", "authorization_server.ending"): "the same for a single row",
    ("models.deletion", "authorization_server.ending"): "the same for rows that are deleted with their owner",
    ("backends.followed_feed", "revocation_feed.direct"): "a resource server may share the database with the tables",
    ("backends", "backends.database"): "the name is public; the models are needed by who uses it",
    (
        "management.commands.introspection_token",
        "management.own_tokens",
    ): "a pure resource server has no tokens of its own",
    ("", "resource_server.acceptance"): "introspect() judges like a protected view, which a pure issuer never loads",
}
"""Declared exceptions: importer, imported, why. Only inside functions or for the type checker."""


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.importer or '__init__'}:{self.line} imports {self.imported or '__init__'}"


def room_of(module: str) -> str:
    """Return the room of a module, named within the package; '' is the package itself."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if room := ROOMS.get(".".join(parts[:length])):
            return room
    pytest.fail(f"{module} has no room: give it a row")


def files(root: Path = ROOT) -> dict[str, Path]:
    """Return every file by the name of its module within the package."""
    named = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports(module: str, path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield what a file imports: absolute name, line, and whether it is imported late."""
    package = f"{PACKAGE}.{module}".rstrip(".").split(".")
    if path.name != "__init__.py":
        package.pop()
    for node, late in _statements_of(path.read_text()):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, late
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{source}.{alias.name}", node.lineno, late


@cache
def _statements_of(source_code: str) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Return the import statements of a file; kept, because each test reads the same files."""
    return list(_import_statements(ast.parse(source_code), late=False))


def _import_statements(tree: ast.AST, *, late: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, late
        else:
            yield from _import_statements(node, late=late or _runs_later(node))


def _runs_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def inner_imports(root: Path = ROOT) -> Iterator[Import]:
    """Yield every import of one module of the package by another."""
    modules = files(root)
    for module, path in modules.items():
        for name, line, late in imports(module, path):
            if name.split(".")[0] == PACKAGE:
                yield Import(module, _module(name, modules), line, late)


def _module(name: str, modules: dict[str, Path]) -> str:
    """Return the module that a name is in: the longest part of it that is a file."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in modules:
        parts.pop()
    return ".".join(parts)


def violations(root: Path = ROOT) -> list[str]:
    return [str(found) for found in inner_imports(root) if not _is_allowed(found)]


def _is_allowed(found: Import) -> bool:
    importer, imported = room_of(found.importer), room_of(found.imported)
    if imported == importer or imported in ALLOWED[importer]:
        return True
    return found.late and (found.importer, found.imported) in LATE


def test_every_import_goes_inwards() -> None:
    assert violations() == []


def test_the_pure_room_imports_the_standard_library_alone() -> None:
    outside = [
        f"{module}:{line} imports {name}"
        for module, path in files().items()
        if room_of(module) == "protocol"
        for name, line, _ in imports(module, path)
        if name.split(".")[0] not in sys.stdlib_module_names | {PACKAGE}
    ]

    assert outside == []


def test_the_two_sides_never_meet() -> None:
    reach: dict[str, set[str]] = {}

    def reached(room: str) -> set[str]:
        if room not in reach:
            reach[room] = {room}
            reach[room].update(*(reached(inner) for inner in ALLOWED[room]))
        return reach[room]

    assert "resource server" not in reached("authorization server")
    assert "authorization server" not in reached("resource server")
    assert "models" not in reached("faces")


def test_the_table_of_rooms_has_no_circle_and_no_dead_row() -> None:
    def depth(room: str, above: tuple[str, ...] = ()) -> int:
        assert room not in above, f"circle: {above}"
        return 1 + max((depth(inner, (*above, room)) for inner in ALLOWED[room]), default=0)

    assert all(depth(room) for room in ALLOWED)
    assert set(ALLOWED) == set(ROOMS.values()) == {room_of(module) for module in files()}


@pytest.mark.parametrize("exception", LATE, ids=str)
def test_every_declared_exception_is_still_needed(exception: tuple[str, str]) -> None:
    assert exception in {(found.importer, found.imported) for found in inner_imports() if found.late}


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("protocol/scope.py", "from ..conf import introspection_settings"),
        ("protocol/scope.py", "def later():\n    from ..models.token import Token"),
        ("models/token.py", "from ..backends.base import TokenBackend"),
        ("models/managers.py", "from ..authorization_server.issuing import issue"),
        ("outbound/jwks.py", "from ..backends.options import Options"),
        ("outbound/jwks.py", "def later():\n    from ..models.token import Token"),
        ("backends/remote.py", "from ..models.token import Token"),
        ("backends/remote.py", "import django_introspection.resource_server.acceptance"),
        ("resource_server/acceptance.py", "from ..authorization_server import issuing"),
        ("resource_server/acceptance.py", "class A:\n    def later(self):\n        from ..models import token"),
        ("resource_server/acceptance.py", "from ..backends.database import answer_for_token"),
        ("authorization_server/issuing.py", "if True:\n    from .. import authentication"),
        ("authorization_server/issuing.py", "from django_introspection.resource_server import acceptance"),
        ("__init__.py", "from .resource_server.acceptance import validate"),
    ],
)
def test_an_import_the_wrong_way_is_found_wherever_it_stands(module: str, code: str, tmp_path: Path) -> None:
    for path in files().values():
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.touch()
    (tmp_path / module).write_text(code)

    assert len(violations(tmp_path)) == 1


def test_a_late_import_is_excused_only_where_it_is_declared(tmp_path: Path) -> None:
    for module in ("models", "authorization_server"):
        (tmp_path / module).mkdir()
    (tmp_path / "authorization_server" / "issuing.py").touch()
    door = "def issue():\n    from ..authorization_server.issuing import issue"
    (tmp_path / "models" / "managers.py").write_text(door)
    (tmp_path / "models" / "token.py").write_text(door)

    assert violations(tmp_path) == ["models.token:2 imports authorization_server.issuing"]
