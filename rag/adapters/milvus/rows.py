"""A chunk as a row of a Milvus collection, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rag.keywords import keyword_text
from rag.types import Chunk, SparseVector, passage_text

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
_NO_TERMS = {0: 1e-6}
"""Servers refuse a vector without terms; the first one of a vocabulary stands for padding, which no query has."""


def row_of(chunk: Chunk, vector: Any, passage: str | None, sparse: SparseVector | None) -> dict[str, Any]:
    """The row to insert.

    Args:
        passage: What the keyword path finds it by; None: the collection has no such path.
        sparse: Likewise, of the learned sparse path.
    """
    row = {field: getattr(chunk, field) for field in CHUNK_FIELDS}
    row |= {"dense": vector, "attributes": dict(chunk.attributes)}
    row["page"] = _NO_PAGE if chunk.page is None else chunk.page
    if passage is not None:
        row["passage"] = passage
    if sparse is not None:
        row["sparse"] = sparse_row(sparse) or _NO_TERMS
    return row


def passage_of(chunk: Chunk, language: str | None) -> str:
    """The words of name and text, or, where Milvus makes the words itself, the two as they are.

    What is too long for Milvus is cut off: it harms the search for a few last words only; `text` is kept whole.
    """
    if language is None:
        passage = f"{re.sub(r'[/._-]+', ' ', chunk.filename)}\n{passage_text(chunk)}"
        return passage.encode()[:MAX_STRING_BYTES].decode(errors="ignore")
    words = f"{keyword_text(chunk.filename, language)} {keyword_text(passage_text(chunk), language)}"
    encoded = words.encode()
    return words if len(encoded) <= MAX_STRING_BYTES else encoded[:MAX_STRING_BYTES].rpartition(b" ")[0].decode()


def sparse_row(vector: SparseVector) -> dict[int, float]:
    """What Milvus takes of a sparse vector: finite weights of more than 0."""
    return {int(term): float(weight) for term, weight in vector.items() if 0 < weight < math.inf}


def chunk_of(row: Mapping[str, Any]) -> Chunk:
    fields = {field: row[field] for field in CHUNK_FIELDS}
    if fields["page"] == _NO_PAGE:
        fields["page"] = None
    return Chunk(**fields)
