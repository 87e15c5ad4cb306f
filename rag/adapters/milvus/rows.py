"""Conversion between a chunk and a row of a Milvus collection."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from rag.adapters.milvus.pymilvus_types import ChunkRow
from rag.keywords import keyword_text
from rag.types import Chunk, PageStart, SparseVector, passage_text

MAX_STRING_BYTES = 65_535
STRINGS = {
    "version_id": 64,
    "file_id": 64,
    "filename": 2048,
    "text": MAX_STRING_BYTES,
    "heading": 8192,
    "context": MAX_STRING_BYTES,
    "header": 8192,
    "pages": 4096,
    "places": MAX_STRING_BYTES,
}
"""String fields besides the primary key, and the length of each in bytes."""
RESCORE_FIELD = "dense_rescore"
"""The vectors of a collection that searches sign bits."""
NUMBERS = ("page", "start", "end")
CHUNK_FIELDS = ["chunk_id", *STRINGS, *NUMBERS, "attributes"]
"""The fields that a chunk is restored from."""
NEW_FIELDS: frozenset[Literal["header", "pages", "places"]] = frozenset(("header", "pages", "places"))
"""The fields that collections of earlier releases lack."""
READ_GROUPS_KEY = "$read_groups"
"""The key of the read groups among the attributes: collections of earlier releases have no field for them."""
_MAX_PAGES = 128
"""More pages than a passage is on, unless they are almost empty."""
_NO_PAGE = -1  # Milvus 2.3 has no nullable fields
_PADDING_ONLY = {0: 1e-6}
"""Servers reject a vector without terms. Term 0 of a vocabulary stands for padding, which no query contains."""


def row_of(chunk: Chunk, vector: npt.NDArray[np.float32], passage: str | None, sparse: SparseVector | None) -> ChunkRow:
    """The row to insert.

    Args:
        passage: The text by which the keyword path finds the chunk; None: the collection has no keyword path.
        sparse: The learned sparse vector; None: the collection has no sparse path.
    """
    row: ChunkRow = {
        "chunk_id": chunk.chunk_id,
        "version_id": chunk.version_id,
        "file_id": chunk.file_id,
        "filename": chunk.filename,
        "text": chunk.text,
        "heading": chunk.heading,
        "context": chunk.context,
        "header": chunk.header,
        "pages": _pages_json(chunk.pages),
        "places": chunk.places,
        "page": _NO_PAGE if chunk.page is None else chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "attributes": _attributes_row(chunk),
        "dense": vector,
    }
    if passage is not None:
        row["passage"] = passage
    if sparse is not None:
        row["sparse"] = sparse_row(sparse) or _PADDING_ONLY
    return row


def _attributes_row(chunk: Chunk) -> dict[str, object]:
    """The attributes, with the read groups. A document's own attribute of the same name is left out."""
    own: dict[str, object] = {key: value for key, value in chunk.attributes.items() if key != READ_GROUPS_KEY}
    return own | ({READ_GROUPS_KEY: list(chunk.read_groups)} if chunk.read_groups else {})


def chunk_of(row: ChunkRow) -> Chunk:
    attributes = dict(row["attributes"])
    read_groups = attributes.pop(READ_GROUPS_KEY, ())
    return Chunk(
        chunk_id=row["chunk_id"],
        version_id=row["version_id"],
        file_id=row["file_id"],
        filename=row["filename"],
        text=row["text"],
        heading=row["heading"],
        context=row["context"],
        page=None if row["page"] == _NO_PAGE else row["page"],
        pages=_pages_of(row.get("pages")),
        places=row.get("places", ""),
        header=row.get("header", ""),
        start=row["start"],
        end=row["end"],
        attributes=attributes,
        read_groups=tuple(read_groups),
    )


def _pages_json(pages: Sequence[PageStart]) -> str:
    return json.dumps([[page.start, page.number] for page in pages[:_MAX_PAGES]]) if pages else ""


def _pages_of(stored: str | None) -> tuple[PageStart, ...]:
    return tuple(PageStart(*page) for page in json.loads(stored)) if stored else ()


def passage_of(chunk: Chunk, language: str | None) -> str:
    """The text by which the keyword path finds a chunk: file name and passage.

    It is tokenized and stemmed here if there is a language, and by Milvus otherwise. Text beyond the length of a field
    is cut off; only keyword search misses those words, since the field `text` is not cut.
    """
    if language is None:
        passage = f"{re.sub(r'[/._-]+', ' ', chunk.filename)}\n{passage_text(chunk)}"
        return passage.encode()[:MAX_STRING_BYTES].decode(errors="ignore")
    words = f"{keyword_text(chunk.filename, language)} {keyword_text(passage_text(chunk), language)}"
    encoded = words.encode()
    return words if len(encoded) <= MAX_STRING_BYTES else encoded[:MAX_STRING_BYTES].rpartition(b" ")[0].decode()


def sparse_row(vector: SparseVector) -> dict[int, float]:
    """The entries of a sparse vector that Milvus accepts: finite weights above 0."""
    return {int(term): float(weight) for term, weight in vector.items() if 0 < weight < math.inf}
