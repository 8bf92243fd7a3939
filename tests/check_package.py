"""Build the wheel and the sdist, look into both, and play the demo from the wheel in an empty environment.

Run by `make package`; what is wrong ends it with a message.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "django_introspection"
PYTEST_PLUGIN = "_django_introspection_pytest.py"
MUST_HAVE = (
    "py.typed",
    "migrations/0001_initial.py",
    "templates/admin/introspection/client/secret.html",
    "static/introspection/admin.css",
    "static/introspection/copy.js",
    "management/commands/introspection_token.py",
)
SDIST_MUST_HAVE = ("README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "manage.py", "tests/conftest.py")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        wheel, sdist = build(work / "dist")
        check_wheel(wheel)
        check_sdist(sdist)
        try_wheel(wheel, sdist, work)
    print("The package is whole: the wheel alone passes the checks and plays the demo.")


def build(dist: Path) -> tuple[Path, Path]:
    run(sys.executable, "-m", "build", "--outdir", str(dist), str(ROOT))
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    return wheel, sdist


def check_wheel(wheel: Path) -> None:
    """Compare with what git has: every file of the package and its plugin is in the wheel, and nothing else."""
    tracked = run("git", "ls-files", PACKAGE, PYTEST_PLUGIN, cwd=ROOT).split()
    packed = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    if set(tracked) != set(packed):
        raise SystemExit(f"wheel and repository differ: {sorted(set(tracked) ^ set(packed))}")
    require({f"{PACKAGE}/{name}" for name in MUST_HAVE}, set(packed))


def check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    require(set(SDIST_MUST_HAVE), packed)


def try_wheel(wheel: Path, sdist: Path, work: Path) -> None:
    """Install the wheel alone, and run the example project of the sdist on it."""
    environment, elsewhere = work / "venv", work / "elsewhere"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    with tarfile.open(sdist) as archive:
        archive.extractall(work / "source", filter="data")
    (source,) = (work / "source").iterdir()
    elsewhere.mkdir()
    shutil.copytree(source / "example_project", elsewhere / "example_project")
    shutil.copy(source / "manage.py", elsewhere)
    imported = run(python, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=elsewhere)
    require({str(environment)}, {imported[: len(str(environment))]})
    run(python, "-W", "error", "manage.py", "check", "--fail-level", "WARNING", cwd=elsewhere)
    run(python, "-W", "error", "manage.py", "makemigrations", "--check", "--dry-run", cwd=elsewhere)
    run(python, "-m", "example_project.demo", "--once", cwd=elsewhere)


def require(wanted: set[str], present: set[str]) -> None:
    if missing := wanted - present:
        raise SystemExit(f"missing: {sorted(missing)}")


def run(*command: str, cwd: Path | None = None) -> str:
    without_ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    finished = subprocess.run(command, cwd=cwd, env=without_ours, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)}\n{finished.stdout}\n{finished.stderr}")
    return finished.stdout


if __name__ == "__main__":
    main()
