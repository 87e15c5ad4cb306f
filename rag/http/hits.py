"""Converts hits to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.types import Chunk, Hit, JsonObject


def hit_to_wire(hit: Hit, *, explain: bool = False) -> JsonObject:
    chunk = hit.chunk
    wire: JsonObject = {
        "chunk_id": chunk.chunk_id,
        "file_id": chunk.file_id,
        "filename": chunk.filename,
        "text": chunk.text,
        "score": round(hit.score, 6),
        "attributes": dict(chunk.attributes),
        "page": chunk.page,
        "pages": chunk.page_numbers,
        "heading": chunk.heading,
        "header": chunk.header,
        "start": chunk.start,
        "end": chunk.end,
    }
    if explain:
        wire["explain"] = {"ranks": dict(hit.ranks), "cosine": hit.cosine}
    return wire


def hit_from_wire(wire: Mapping[str, Any]) -> Hit:
    names = ("chunk_id", "file_id", "filename", "text", "start", "end", "heading", "page", "attributes")
    chunk = Chunk(version_id="", **{name: wire[name] for name in names})
    return Hit(chunk, wire["score"])


def sources_to_wire(hits: Sequence[Hit]) -> list[JsonObject]:
    """Hits with their number in the prompt, from 1."""
    return [{**hit_to_wire(hit), "index": number} for number, hit in enumerate(hits, start=1)]
