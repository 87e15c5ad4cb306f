"""Serializes hits for caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import orjson

from rag.types import Chunk, Hit, JsonObject, PageStart

_CHUNK = tuple(field.name for field in fields(Chunk))
_HIT = tuple(field.name for field in fields(Hit) if field.name != "chunk")
_SCHEMA = [",".join(_CHUNK), ",".join(_HIT)]
"""Stored with the values, so that another release with other fields is recognized."""


def pack_hits(hits: Sequence[Hit], rest: JsonObject) -> bytes:
    """The hits, and further JSON-like values. Numbers must be finite."""
    return orjson.dumps([_SCHEMA, [_row(hit) for hit in hits], rest])


def unpack_hits(data: bytes) -> tuple[tuple[Hit, ...], JsonObject]:
    """The arguments of `pack_hits`. Raises ValueError if a release with other fields packed the data."""
    packed = orjson.loads(data)
    if not isinstance(packed, list) or len(packed) != 3 or packed[0] != _SCHEMA:
        raise ValueError("the cached hits were written by another release")
    return tuple(_hit(row) for row in packed[1]), packed[2]


def _row(hit: Hit) -> list[object]:
    """Values without field names: those would take more space than a short passage."""
    return [[getattr(hit.chunk, name) for name in _CHUNK], *(getattr(hit, name) for name in _HIT)]


def _hit(row: list[Any]) -> Hit:
    stored, *rest = row
    chunk = dict(zip(_CHUNK, stored, strict=True))
    chunk["read_groups"] = tuple(chunk["read_groups"])
    chunk["pages"] = tuple(PageStart(**page) for page in chunk["pages"])
    values = dict(zip(_HIT, rest, strict=True))
    values["duplicates"] = tuple(values["duplicates"])
    return Hit(Chunk(**chunk), **values)
