"""Converts hits to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag.types import Chunk, Hit, JsonObject, PageStart, Rectangle, TextRun
from rag.types.places import packed


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
        "rectangles": rectangles_to_wire(chunk.rectangles),
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
    fields = {name: wire[name] for name in names}
    pages = tuple(PageStart(0, number) for number in wire.get("pages", ()))
    runs = [TextRun(wire["start"], wire["start"], **place) for place in wire.get("rectangles", ())]
    places = packed(runs, wire["start"])
    chunk = Chunk(version_id="", **fields, header=wire.get("header", ""), pages=pages, places=places)
    return Hit(chunk, wire["score"])


def rectangles_to_wire(rectangles: Sequence[Rectangle]) -> list[JsonObject]:
    return [asdict(rectangle) for rectangle in rectangles]


def sources_to_wire(hits: Sequence[Hit]) -> list[JsonObject]:
    """Hits with their number in the prompt, from 1."""
    return [{**hit_to_wire(hit), "index": number} for number, hit in enumerate(hits, start=1)]
