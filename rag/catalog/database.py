"""Transactions on the catalog's database, which is migrated to the current schema when it is opened."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from rag.catalog.tables.schema import VERSION_TABLE
from rag.errors import DependencyUnavailable, SetupError

_BUSY_TIMEOUT_MS = 30_000


class Database:
    """Transactions on one database. Safe for several threads, and on PostgreSQL for several processes.

    Args:
        url: In SQLAlchemy's form: `sqlite:////folder/catalog.db`, `postgresql+psycopg://user:password@host/name`.

    Raises:
        SetupError: the URL is invalid, or its database is not supported.
        DependencyUnavailable: the database cannot be opened or migrated.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        with self._translated_errors():
            self._migrate()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is committed at the end, or rolled back if the block raises.

        SQLite runs one at a time. On PostgreSQL those on the same vector store are serialised by a lock on its row.
        """
        with self._translated_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A read-only transaction. It sees the catalog as of its first query, and does not wait for writers."""
        options = {"read_only": True} | ({} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"})
        with (
            self._translated_errors(),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def empty_log(self) -> None:
        """Move SQLite's write-ahead log into the database, so that no file contains deleted data.

        Nothing happens while a transaction runs, so call it again from time to time.
        """
        if not self.is_sqlite:
            return
        with self._translated_errors(), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute("PRAGMA busy_timeout=0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
                cursor.close()

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if _revision(connection) == _newest_revision():
                return  # as at every start but the first after an upgrade; loading the migrations takes longer
            config = _migrations()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if isinstance(error, sa.exc.IntegrityError):
                raise
            where = self._engine.url.render_as_string(hide_password=True)
            raise DependencyUnavailable(f"the catalog at {where} failed: {str(error.orig)[:200]}") from error
        except SQLAlchemyError as error:
            raise DependencyUnavailable(f"the catalog failed: {type(error).__name__}") from error


def _revision(connection: sa.Connection) -> str | None:
    """None: the database has no catalog yet."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


@functools.cache
def _newest_revision() -> str | None:
    return ScriptDirectory.from_config(_migrations()).get_current_head()


def _engine(url: str) -> sa.Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SetupError("RAG_CATALOG__URL: not a valid database URL", param="RAG_CATALOG__URL") from None
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
    if parsed.get_backend_name() != "sqlite":
        raise SetupError("RAG_CATALOG__URL: only SQLite and PostgreSQL are supported", param="RAG_CATALOG__URL")
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, pool_size=10, max_overflow=20)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction; a writer takes the write lock at once, since upgrading a read lock later may fail."""
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
