"""Requests between services for the text of a file. `rag.http.clients.remote_files` sends them."""

from __future__ import annotations

import base64
import binascii

from rag.errors import InvalidRequest
from rag.http.validation.wire_model import WireModel


class ReadFileRequest(WireModel):
    """A file by its id, or its bytes."""

    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None

    def content(self) -> bytes:
        """The bytes. Raises InvalidRequest if they are not base64."""
        data = self.file_data or ""
        if data.startswith("data:"):
            head, comma, data = data.partition(",")
            if not comma or not head.endswith(";base64"):
                raise InvalidRequest("file_data: must be a data URL with base64", param="file_data")
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequest("file_data: is not base64", param="file_data") from None
        if not content:
            raise InvalidRequest("file_data: is empty", param="file_data")
        return content


class ReadBytesRequest(WireModel):
    """The bytes of a file by its id."""

    file_id: str
    max_bytes: int
