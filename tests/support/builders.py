"""Small builders with defaults: a test states only the values that matter to it."""

from __future__ import annotations

import hashlib
from typing import Any

from rag.types import Attributes, Chunk


def a_file_id(filename: str = "doc.md") -> str:
    return f"file-{hashlib.sha256(filename.encode()).hexdigest()[:24]}"


def a_version_id(filename: str = "doc.md", version: str = "one") -> str:
    return f"ver-{hashlib.sha256(f'{filename}/{version}'.encode()).hexdigest()[:24]}"


def a_chunk(
    text: str = "some text",
    *,
    filename: str = "doc.md",
    ordinal: int = 0,
    version: str = "one",
    attributes: Attributes | None = None,
    **fields: Any,
) -> Chunk:
    """A chunk of the given version of the file; `version` is any word."""
    version_id = a_version_id(filename, version)
    defaults: dict[str, Any] = {
        "chunk_id": f"{version_id}-{ordinal:06d}",
        "version_id": version_id,
        "file_id": a_file_id(filename),
        "filename": filename,
        "text": text,
        "start": 0,
        "end": len(text),
        "attributes": attributes or {},
    }
    return Chunk(**(defaults | fields))
