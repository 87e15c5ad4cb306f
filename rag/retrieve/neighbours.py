"""The chunks before and after the hits in their documents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from rag.catalog.documents.visibility import Snapshot
from rag.errors import RagError
from rag.ports import VectorStore
from rag.retrieve.record_text import begins_with_value, is_record_text
from rag.types import Chunk, chunk_id_of

_SENTENCE_ENDS = (".", "!", "?", ":", ";", "|")
"""A text that ends otherwise ends within a sentence, unless it is a heading or a list item."""
_log = logging.getLogger("rag.retrieve")


def neighbour_id(chunk: Chunk, distance: int) -> str:
    """Id of the chunk `distance` chunks after this one (before it, if negative); empty if it cannot exist."""
    version_id, dash, ordinal = chunk.chunk_id.rpartition("-")
    if not dash or not ordinal.isdigit() or int(ordinal) + distance < 0:
        return ""
    return chunk_id_of(version_id, int(ordinal) + distance)


async def read_neighbours(store: VectorStore, snapshot: Snapshot, chunk_ids: Sequence[str]) -> Mapping[str, Chunk]:
    """The chunks by id, read with one query. Chunks that do not exist are missing; if the query fails, all are."""
    if not chunk_ids:
        return {}
    try:
        found = await asyncio.to_thread(store.chunks, snapshot.collection, chunk_ids, groups=snapshot.groups)
    except RagError as error:
        _log.warning("the text around the hits is not available: %s", error.message)
        return {}
    return {chunk.chunk_id: chunk for chunk in found}


def gap_between(chunk: Chunk, following: Chunk) -> str:
    """The whitespace between two chunks, which is not stored. It has the right length, so offsets stay correct.

    A newline separates table rows and list items, and counts as a space within a paragraph. A chunk that begins inside
    a list may begin with an indented line, which continues an item; so does one that begins within a sentence. In text
    that was read from JSON, a value begins on a line of its own, and an empty line ends a record.
    """
    chars = following.start - chunk.end
    if is_record_text(following.filename) and begins_with_value(following.text):
        return " " * (chars - 1) + "\n" if following.header and chars > 1 else "\n" * max(0, chars)
    continues = bool(following.header) or (not chunk.text.endswith(_SENTENCE_ENDS) and following.text[:1].islower())
    if chars > 1 and continues:
        return "\n" + " " * (chars - 1)
    return "\n" * max(0, chars)
