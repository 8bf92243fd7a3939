from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from .scripts import Project


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: Any) -> Path:
    """A database of SQLite with every table and no row."""
    directory = tmp_path_factory.mktemp("migrated")
    finished = Project(directory).run("manage.py migrate --verbosity 0")
    assert finished.returncode == 0, finished.stderr
    database: Path = directory / "database"
    return database


@pytest.fixture
def project(migrated_database: Path, tmp_path: Path) -> Project:
    """A project of its own for commands that run as processes."""
    shutil.copy(migrated_database, tmp_path / "database")
    return Project(tmp_path)
