"""A connection to the catalog's database, brought up to date when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from rag.errors import DependencyUnavailable, SetupError

_BUSY_MS = 30_000
_READ_ONLY = {"read_only": True}


class Database:
    """Transactions on one database. Safe for several threads, and on PostgreSQL for several processes.

    Args:
        url: As SQLAlchemy writes it: `sqlite:////folder/catalog.db`, `postgresql+psycopg://user:password@host/name`.

    Raises:
        SetupError: the URL cannot be understood, or the database is newer than this program.
        DependencyUnavailable: it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        with self._border():
            self._migrate()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is committed at the end, or rolled back when something is raised.

        On SQLite there is one at a time; on PostgreSQL those on one vector store take turns by locking its row.
        """
        with self._border(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing and waits for nobody."""
        with self._border(), self._engine.connect().execution_options(**_READ_ONLY) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _border(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if isinstance(error, sa.exc.IntegrityError):
                raise
            where = self._engine.url.render_as_string(hide_password=True)
            raise DependencyUnavailable(f"the catalog at {where} failed: {str(error.orig)[:200]}") from error
        except SQLAlchemyError as error:
            raise DependencyUnavailable(f"the catalog failed: {type(error).__name__}") from error


def _engine(url: str) -> sa.Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SetupError("RAG_CATALOG__URL: is not a database URL", param="RAG_CATALOG__URL") from None
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
    if parsed.get_backend_name() != "sqlite":
        raise SetupError("RAG_CATALOG__URL: SQLite and PostgreSQL are supported", param="RAG_CATALOG__URL")
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, pool_size=10, max_overflow=20)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # sqlite3 begins no transactions by itself: `_begin_sqlite` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes its turn at the start: one that began as a reader could fail in the middle."""
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
