"""Reads files that a request attaches to a message. Their texts are not stored."""

from __future__ import annotations

import secrets
from pathlib import Path

from rag.blobs import BlobFolder
from rag.catalog.database import Database
from rag.catalog.documents import files
from rag.errors import FileNotFound, FileTooLarge, NoTextFound
from rag.ingest.parse_slots import ParseSlots
from rag.ports import Parser
from rag.readers.filename import normalize_filename


class AttachedFiles:
    """Files wait for their turn at the parser together with those of ingestion jobs."""

    def __init__(self, database: Database, blobs: BlobFolder, parser: Parser, slots: ParseSlots) -> None:
        self._database = database
        self._blobs = blobs
        self._parser = parser
        self._slots = slots

    def read(self, file_id: str) -> tuple[str, str]:
        """Name and text of a file of the caller. Blocks.

        Raises:
            FileNotFound: the caller has no such file.
            UnsupportedFile: or a subclass, if it cannot be read.
        """
        with self._database.read() as connection:
            row = files.get(connection, file_id)
            charset = files.charset_of(connection, row.blob_id)
        return row.filename, self._text(self._path(file_id, row.blob_id), row.filename, charset)

    def content(self, file_id: str, max_bytes: int) -> bytes:
        """The bytes of a file of the caller. Blocks.

        Raises:
            FileNotFound: the caller has no such file.
            FileTooLarge: there are more than `max_bytes`.
        """
        with self._database.read() as connection:
            row = files.get(connection, file_id)
        path = self._path(file_id, row.blob_id)
        if (size := path.stat().st_size) > max_bytes:
            raise FileTooLarge(f"{row.filename} has {size} bytes, more than {max_bytes}", param="file_id")
        return path.read_bytes()

    def read_bytes(self, content: bytes, filename: str, max_bytes: int) -> tuple[str, str]:
        """Name and text of these bytes. Blocks.

        Raises:
            InvalidRequest: the name is not valid.
            FileTooLarge: there are more than `max_bytes`.
            UnsupportedFile: or a subclass, if they cannot be read.
        """
        name = normalize_filename(filename)
        if len(content) > max_bytes:
            raise FileTooLarge(f"{name} has {len(content)} bytes, more than {max_bytes}", param="file_data")
        path = self._blobs.incoming / f"{secrets.token_hex(16)}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.write_bytes(content)
            return name, self._text(path, name, "")
        finally:
            path.unlink(missing_ok=True)

    def _path(self, file_id: str, blob_id: str) -> Path:
        path = self._blobs.path(blob_id)
        if not path.exists():
            raise FileNotFound(f"the bytes of {file_id} are missing from the data folder", param="file_id")
        return path

    def _text(self, path: Path, filename: str, charset: str) -> str:
        with self._slots.slot(_never_cancelled):
            text = self._parser.parse(path, filename, charset).text
        if not text.strip():
            raise NoTextFound(f"{filename} has no text", param=filename)
        return text


def _never_cancelled() -> None:
    """A request whose client has left waits on: its file is read in a moment, and nobody needs the result."""
