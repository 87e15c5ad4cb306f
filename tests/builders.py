"""Small builders: each test names only what it is about."""

from __future__ import annotations

import hashlib
from typing import Any

from rag.ingest.readers import file_id
from rag.types import Attributes, Chunk, Document, Heading


def content_hash(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def a_document(
    text: str = "Some text.",
    *,
    filename: str = "doc.md",
    is_markdown: bool = True,
    headings: tuple[Heading, ...] = (),
    attributes: Attributes | None = None,
) -> Document:
    return Document(
        file_id=file_id("default", filename),
        filename=filename,
        text=text,
        content_hash=content_hash(text),
        is_markdown=is_markdown,
        headings=headings,
        attributes=attributes or {},
    )


def a_chunk(
    text: str = "some text",
    *,
    filename: str = "doc.md",
    ordinal: int = 0,
    version: str = "one",
    attributes: Attributes | None = None,
    **fields: Any,
) -> Chunk:
    owner, digest = file_id("default", filename), content_hash(version)
    defaults: dict[str, Any] = {
        "chunk_id": f"{owner}-{digest[:12]}-{ordinal:06d}",
        "file_id": owner,
        "filename": filename,
        "text": text,
        "start": 0,
        "end": len(text),
        "content_hash": digest,
        "attributes": attributes or {},
    }
    return Chunk(**(defaults | fields))
