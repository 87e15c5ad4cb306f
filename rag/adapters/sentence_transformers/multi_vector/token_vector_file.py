"""Token vectors of ingested passages, in a file, so that reranking need not encode them again."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rag.adapters.sentence_transformers.multi_vector.quantization import dequantized, quantized
from rag.adapters.sentence_transformers.multi_vector.token_vectors import TokenVectors

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS passages (
        age INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, tokens BLOB NOT NULL
    ) STRICT
"""
_TOTAL = "SELECT COALESCE(SUM(LENGTH(tokens)), 0) FROM passages"
_BUSY_S = 5.0
_SHARE_AFTER_TRIM = 0.9
"""Of the size limit, when old passages are deleted: so that it does not happen with every window of passages."""
_log = logging.getLogger("rag.token_vectors")


class TokenVectorFile:
    """An SQLite file with quantized vectors. Thread-safe; processes can share a file.

    No method raises if the file cannot be read or written: the vectors are computed again when they are needed.

    Texts are not stored, but the ids of their tokens are: the file is as confidential as the documents.

    Args:
        max_bytes: Size of the vectors. The oldest passages make room for new ones.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._estimated_bytes = 0
        """Estimated size. Too high if passages were stored already, too low if another process adds some."""
        with self._reports("opened"):
            self._connection = _open(path)
            self._estimated_bytes = int(self._connection.execute(_TOTAL).fetchone()[0])

    def add(self, model: str, passages: Mapping[str, TokenVectors]) -> None:
        """Store the vectors of these texts."""
        rows = [(_digest(model, text), quantized(tokens)) for text, tokens in passages.items()]
        with self._lock, self._reports("written"):
            if self._connection is None:
                return
            with _transaction(self._connection) as connection:
                connection.executemany("INSERT OR IGNORE INTO passages (digest, tokens) VALUES (?, ?)", rows)
                self._estimated_bytes += sum(len(blob) for _, blob in rows)
                if self._estimated_bytes > self._max_bytes:
                    self._estimated_bytes = _trim(connection, int(self._max_bytes * _SHARE_AFTER_TRIM))

    def find(self, model: str, texts: Sequence[str]) -> dict[str, TokenVectors]:
        """The stored vectors, by text."""
        digests = {_digest(model, text): text for text in texts}
        found: dict[str, TokenVectors] = {}
        with self._lock, self._reports("read"):
            if self._connection is None:
                return {}
            query = f"SELECT digest, tokens FROM passages WHERE digest IN ({','.join('?' * len(digests))})"
            for digest, blob in self._connection.execute(query, list(digests)):
                found[digests[digest]] = dequantized(blob)
        return found

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _reports(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            _log.warning("%s cannot be %s; passages will be encoded again for reranking: %s", self._path, done, error)


def _digest(model: str, text: str) -> bytes:
    return hashlib.sha256(f"{model}\0{text}".encode()).digest()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _log.warning("%s is damaged; replacing it with an empty file: %s", path, error)
        for ending in ("", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # what a power failure destroys is computed again
        connection.execute(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _trim(connection: sqlite3.Connection, to_bytes: int) -> int:
    """Delete the oldest passages until the rest has at most this size. Returns the size of the rest."""
    total = int(connection.execute(_TOTAL).fetchone()[0])
    last = None
    for age, size in connection.execute("SELECT age, LENGTH(tokens) FROM passages ORDER BY age"):
        if total <= to_bytes:
            break
        total, last = total - size, age
    if last is not None:
        connection.execute("DELETE FROM passages WHERE age <= ?", (last,))
    return total
