"""Reads files with the parser of the Retriever."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from rag.auth.caller import require
from rag.http.clients.service_client import ServiceClient

_TIMEOUT_S = 600.0
"""Long, because other files may be read first; the parser limits the time of each file."""


@dataclass(frozen=True, slots=True)
class FileText:
    filename: str
    text: str
    tokens: int
    """Length of the text for the language model; an estimate if its tokenizer is not known."""


class RemoteFiles:
    def __init__(self, retriever: ServiceClient) -> None:
        self._retriever = retriever

    async def read(self, file_id: str | None, file_data: str | None, filename: str | None) -> FileText:
        """The text of a file of the caller, or of bytes as base64 or a data URL.

        Raises:
            FileNotFound: the caller has no such file.
            InsufficientPermissions: the caller may not read files.
            UnsupportedFile: or a subclass, if the file cannot be read.
            InvalidRequest: the bytes are not base64, or the name is not valid.
            FileTooLarge: there are too many bytes.
        """
        if file_id is not None:
            require("ask")
        given = {"file_id": file_id, "file_data": file_data, "filename": filename}
        body = {name: value for name, value in given.items() if value is not None}
        return FileText(**await self._retriever.call("/read_file", body, timeout_s=_TIMEOUT_S))

    async def content(self, file_id: str, max_bytes: int) -> bytes:
        """The bytes of a file of the caller.

        Raises:
            FileNotFound: the caller has no such file.
            InsufficientPermissions: the caller may not read files.
            FileTooLarge: it has more than `max_bytes`.
        """
        require("ask")
        body = {"file_id": file_id, "max_bytes": max_bytes}
        found = await self._retriever.call("/read_bytes", body, timeout_s=_TIMEOUT_S)
        return base64.b64decode(found["data"])
