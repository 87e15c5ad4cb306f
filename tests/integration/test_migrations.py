"""`rag/catalog/migrations` migrates every database, with its data, to `rag/catalog/tables/schema.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import make_url

from rag.catalog import database
from rag.catalog.database import Database
from rag.catalog.tables.schema import metadata
from rag.records import NewStore
from tests.fakes import FakeVectorStore
from tests.support.library_harness import STORE, make_harness
from tests.support.servers.postgres import new_database

pytestmark = pytest.mark.integration

MIGRATIONS = Path(database.__file__).parent / "migrations"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    return new_database(request.getfixturevalue("postgres"))


@contextmanager
def connect(url: str) -> Iterator[sa.Connection]:
    """A connection that runs no migrations."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(parsed)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def migrate_to(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with connect(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def differences(url: str) -> list[object]:
    with connect(url) as connection:
        options = {"compare_type": True, "version_table": "catalog_version"}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def copy_rows(source: str, target: str) -> None:
    """Copy all rows, without columns that the target lacks."""
    with connect(source) as old, connect(target) as new:
        tables = sa.MetaData()
        tables.reflect(new)
        for table in tables.sorted_tables:
            if table.name == "catalog_version":
                continue
            rows = old.execute(sa.select(*(sa.column(c.name, c.type) for c in table.columns)).select_from(table))
            if values := [dict(row._mapping) for row in rows]:
                new.execute(sa.insert(table), values)
        if new.dialect.name == "postgresql":  # the sequence does not advance on explicit values
            new.exec_driver_sql("SELECT setval(pg_get_serial_sequence('versions', 'seq'), max(seq)) FROM versions")


def test_a_new_database_matches_the_schema(url: str) -> None:
    Database(url).close()
    assert differences(url) == []


def test_the_comparison_detects_a_missing_column(url: str) -> None:
    migrate_to(url, "0001")
    changes: list[Any] = differences(url)
    added = {change[3].name for change in changes if change[0] == "add_column"}
    assert added >= {"retrieval", "sparse_embedder"}


def test_a_catalog_of_the_first_version_is_migrated(url: str, tmp_path: Path) -> None:
    store = FakeVectorStore()
    with make_harness(tmp_path, store=store) as harness:
        harness.ingest(("a.md", "apples"), attributes={"n": 1})
        harness.ingest(("a.md", "red apples"))
        harness.library.create_store(NewStore(name="other", metadata={"a": "b"}))
        before = harness.library.store(STORE), harness.library.store("other")
    migrate_to(url, "0001")
    copy_rows(f"sqlite:///{tmp_path / 'catalog.db'}", url)
    with make_harness(tmp_path, store=store, url=url) as harness:
        assert differences(url) == []
        assert (harness.library.store(STORE), harness.library.store("other")) == before
        snapshot = harness.runtime.snapshots.snapshot(STORE)
        assert (snapshot.retrieval, snapshot.sparse_embedder) == ("", "")
        assert harness.texts("apples") == ["red apples"]
        harness.ingest(("a.md", "green apples"))
        assert harness.texts("apples") == ["green apples"]
