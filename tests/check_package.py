"""Build the wheel and the sdist, look into both, and play the demo from the wheel in an empty environment.

Run by `make package`; the first fault ends it with a message. A directory as the argument keeps both files, and a
software bill of materials (CycloneDX) of the environment that the wheel makes.
"""

from __future__ import annotations

import json
import os
import re
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
    "static/introspection/once.js",
    "static/introspection/self_service.css",
    "templates/introspection/self_service/base.html",
    "templates/introspection/personal_tokens/tokens.html",
    "templates/introspection/personal_tokens/expires_message.txt",
    "personal_tokens/migrations/0001_initial.py",
    "management/commands/introspection_token.py",
    *(
        f"{app}locale/{language}/LC_MESSAGES/django.mo"
        for app in ("", "contrib/issuers/")
        for language in ("de", "es", "fr", "ja", "pt_BR", "zh_Hans")
    ),
)
SDIST_MUST_HAVE = ("README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "manage.py", "tests/conftest.py")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        dist = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else work / "dist"
        wheel, sdist = build(dist)
        check_wheel(wheel)
        check_readme(wheel)
        check_reproducible(wheel, work / "again")
        check_sdist(sdist)
        environment = try_wheel(wheel, sdist, work)
        write_bill_of_materials(environment, dist / "sbom.cdx.json")
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


def check_readme(wheel: Path) -> None:
    """Look for links that lead nowhere on a package index: a relative one has no page there."""
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    links = re.findall(r"\]\(([^)]+)\)", archive.read(metadata).decode())
    if not links:
        raise SystemExit("the README is not in the wheel")
    if relative := [link for link in links if not link.startswith("https://")]:
        raise SystemExit(f"relative links in the README of the wheel: {relative}")
    if pages := [link for link in links if link.endswith(".png") and "raw.githubusercontent.com" not in link]:
        raise SystemExit(f"links to pages about pictures in the README of the wheel: {pages}")


def check_reproducible(wheel: Path, again: Path) -> None:
    """Build from a copy in another place and at another time: the wheel must be the same, byte for byte."""
    copy = again / "source"
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(again), str(copy))
    if (again / wheel.name).read_bytes() != wheel.read_bytes():
        raise SystemExit("two builds of the wheel differ")


def check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    require(set(SDIST_MUST_HAVE), packed)


def try_wheel(wheel: Path, sdist: Path, work: Path) -> str:
    """Install the wheel alone, run the example project of the sdist on it, and return the environment's Python."""
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
    return python


def write_bill_of_materials(python: str, file: Path) -> None:
    run(
        sys.executable, "-m", "cyclonedx_py", "environment", python, "--output-reproducible", "--output-file", str(file)
    )
    named = {component["name"].lower() for component in json.loads(file.read_text())["components"]}
    require({"django", "djangorestframework", "httpx2", PACKAGE.replace("_", "-")}, named)


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
