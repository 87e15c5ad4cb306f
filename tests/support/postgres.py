"""A real PostgreSQL server for tests, started once per session."""

from __future__ import annotations

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the user's runtime folder
        pgserver: Any = importlib.import_module("pgserver")
        folder = Path(tempfile.mkdtemp(prefix="rag-pg-"))  # short, because a Unix socket's path is limited to 107 bytes
        folder.chmod(0o755)
        server = pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str) -> str:
    """URL of an empty database on the same server."""
    name = f"rag_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
