"""Catalogs of tests, in SQLite files."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from rag.catalog.database import Database


def a_catalog(folder: Path) -> Database:
    """The catalog in this folder. A new one has the tables and nothing else."""
    path = folder / "catalog.db"
    if not path.exists():
        path.write_bytes(_an_empty_catalog())
    return Database(f"sqlite:///{path}")


@functools.cache
def _an_empty_catalog() -> bytes:
    """An SQLite file with all tables. Copying it is several times faster than creating the tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        Database(f"sqlite:///{path}").close()
        return path.read_bytes()
