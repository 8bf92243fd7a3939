"""What maintainers and users take from the repository itself: the release command, the patterns for scanners."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from django_introspection.protocol import opaque

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = [rule["regex"] for rule in tomllib.loads((ROOT / "docs" / "gitleaks.toml").read_text())["rules"]]
BUILD = """\
import pathlib, sys
dist = pathlib.Path(sys.argv[1])
dist.mkdir()
(dist / "package.whl").write_bytes(b"wheel")
"""
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.0.1] - 2026-01-01\n\n- The first.\n"


@pytest.mark.parametrize("kind", opaque.KINDS)
def test_a_scanner_finds_each_generated_value_once(kind: str) -> None:
    value = opaque.generate(kind)

    assert [pattern for pattern in PATTERNS if re.search(pattern, f"TOKEN={value};")] == [
        rf"\bdit_{kind}_[0-9A-Za-z]{{49}}\b"
    ]
    assert not any(re.search(pattern, value[:-1]) for pattern in PATTERNS)


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the release command, and a check of the package that builds at once."""
    files = {
        "django_introspection/__init__.py": '__version__ = "0.1.0.dev0"\n',
        "CHANGELOG.md": CHANGELOG,
        "tests/check_package.py": BUILD,
        ".gitignore": "dist\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "tests" / "release.py", tmp_path / "tests")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "Maintainer")
    git(tmp_path, "config", "user.email", "maintainer@example.com")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    return tmp_path


def release(repository: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, repository / "tests" / "release.py", version]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.processes
def test_a_release_is_a_commit_and_a_tag_with_its_notes(repository: Path) -> None:
    finished = release(repository, "0.1.0")

    assert finished.returncode == 0, finished.stderr
    assert '"0.1.0"' in (repository / "django_introspection" / "__init__.py").read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert re.search(r"## \[Unreleased\]\n\n## \[0\.1\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A thing\.", changelog)
    notes = git(repository, "for-each-ref", "--format=%(contents)", "refs/tags/v0.1.0")
    assert "### Added\n\n- A thing." in notes
    assert "The first." not in notes
    assert notes.endswith(f"sha256 {hashlib.sha256(b'wheel').hexdigest()}")
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("version", "broken", "said"),
    [
        ("0.1", None, "Name the version"),
        ("0.1.0", "CHANGELOG.md", "Commit or remove your changes"),
        ("0.1.0", "tests/check_package.py", "returned non-zero"),
    ],
)
def test_a_release_that_fails_leaves_the_checkout_alone(
    version: str, broken: str | None, said: str, repository: Path
) -> None:
    if broken:
        (repository / broken).write_text("raise SystemExit(1)\n")
    if broken == "tests/check_package.py":
        git(repository, "commit", "--quiet", "--all", "--message", "Break")
    before = git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")

    finished = release(repository, version)

    assert finished.returncode != 0
    assert said in finished.stderr
    assert (git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")) == before
    assert git(repository, "tag") == ""
