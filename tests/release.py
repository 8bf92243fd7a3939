"""Prepare a release: version, changelog, checked wheel, bill of materials, commit and tag.

Run by `make release VERSION=0.1.0`. Nothing is pushed or published. A step that fails leaves the checkout as it was.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE = ROOT / "django_introspection" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
DIST = ROOT / "dist"
UNRELEASED = "## [Unreleased]\n"


def main(version: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+(rc\d+)?", version):
        raise SystemExit("Name the version: make release VERSION=0.1.0, or 0.1.0rc1.")
    tag = f"v{version}"
    if git("status", "--porcelain"):
        raise SystemExit("Commit or remove your changes first.")
    if git("tag", "--list", tag):
        raise SystemExit(f"The tag {tag} exists.")
    try:
        set_version(version)
        notes = date_changelog(version)
        wheel = checked_wheel()
        git("commit", "--all", "--message", f"Release {version}")
    except BaseException:
        git("restore", ".")
        raise
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    git("tag", "--annotate", tag, "--cleanup=verbatim", "--message", f"{version}\n\n{notes}\n\nsha256 {digest}\n")
    print(f"{tag} is ready: look at `git show {tag}`, then run `git push origin HEAD {tag}`.")


def set_version(version: str) -> None:
    text, count = re.subn(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', VERSION_FILE.read_text())
    if count != 1:
        raise SystemExit(f"{VERSION_FILE} has no version.")
    VERSION_FILE.write_text(text)


def date_changelog(version: str) -> str:
    """Date the section of unreleased changes, and return it."""
    before, heading, rest = CHANGELOG.read_text().partition(UNRELEASED)
    notes = re.split(r"(?m)^## ", rest, maxsplit=1)[0].strip()
    if not notes:
        raise SystemExit("The changelog has no unreleased changes.")
    dated = f"## [{version}] - {datetime.now(UTC):%Y-%m-%d}\n"
    CHANGELOG.write_text(f"{before}{heading}\n{dated}{rest}")
    return notes


def checked_wheel() -> Path:
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, ROOT / "tests" / "check_package.py", DIST], check=True)
    (wheel,) = DIST.glob("*.whl")
    return wheel


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "")
