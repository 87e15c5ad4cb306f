"""A chunk as a row of a Milvus collection, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rag.types import Chunk, passage_text

MAX_STRING_BYTES = 65_535
STRINGS = {
    "version_id": 64,
    "file_id": 64,
    "filename": 2048,
    "text": MAX_STRING_BYTES,
    "heading": 8192,
    "context": MAX_STRING_BYTES,
}
"""Fields of strings besides the primary key, and the bytes each may hold."""
NUMBERS = ("page", "start", "end")
CHUNK_FIELDS = ["chunk_id", *STRINGS, *NUMBERS, "attributes"]
"""What a chunk is made of again."""
_NO_PAGE = -1  # Milvus 2.3 has no nullable fields


def row_of(chunk: Chunk, vector: Any, *, with_passage: bool) -> dict[str, Any]:
    """The row to insert; `with_passage`: the collection has a keyword index to be filled from it."""
    row = {field: getattr(chunk, field) for field in CHUNK_FIELDS}
    row |= {"dense": vector, "attributes": dict(chunk.attributes)}
    row["page"] = _NO_PAGE if chunk.page is None else chunk.page
    if with_passage:
        # Cutting it harms the search for a few last words only; `text` is kept whole.
        passage = f"{re.sub(r'[/._-]+', ' ', chunk.filename)}\n{passage_text(chunk)}"
        row["passage"] = passage.encode()[:MAX_STRING_BYTES].decode(errors="ignore")
    return row


def chunk_of(row: Mapping[str, Any]) -> Chunk:
    fields = {field: row[field] for field in CHUNK_FIELDS}
    if fields["page"] == _NO_PAGE:
        fields["page"] = None
    return Chunk(**fields)
