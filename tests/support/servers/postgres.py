"""A real PostgreSQL server for tests, started once per session."""

from __future__ import annotations

import functools
import importlib
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from rag.catalog.database import Database

_FAST = ("fsync = off", "full_page_writes = off", "synchronous_commit = off")
"""What is written need not survive a crash of the machine."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's runtime folder
        pgserver: Any = importlib.import_module("pgserver")
        folder = Path(tempfile.mkdtemp(prefix="rag-pg-"))  # short, because a Unix socket's path is limited to 107 bytes
        folder.chmod(0o755)
        server = pgserver.get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for setting in _FAST:
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str) -> str:
    """URL of an empty database on the same server."""
    name = f"rag_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@functools.cache
def _migrated_database(url: str) -> str:
    migrated = new_database(url)
    Database(migrated).close()
    return migrated


def empty_catalog(url: str) -> str:
    """URL of a database with the catalog's tables, all empty. It is the same one in every call."""
    migrated = _migrated_database(url)
    with psycopg.connect(migrated, autocommit=True) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = ", ".join(name for (name,) in found if name != "catalog_version")
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return migrated
