"""Hits as bytes and back, for caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import orjson

from rag.types import Chunk, Hit, JsonObject

_CHUNK = tuple(field.name for field in fields(Chunk))
_HIT = tuple(field.name for field in fields(Hit) if field.name != "chunk")
_SHAPE = [",".join(_CHUNK), ",".join(_HIT)]


def pack_hits(hits: Sequence[Hit], more: JsonObject) -> bytes:
    """The hits, and what else was found out, which is JSON-like. Numbers must be finite."""
    return orjson.dumps([_SHAPE, [_row(hit) for hit in hits], more])


def unpack_hits(data: bytes) -> tuple[tuple[Hit, ...], JsonObject]:
    """What `pack_hits` was given.

    Raises:
        ValueError: it was not packed by this release: hits have other fields there.
    """
    whole = orjson.loads(data)
    if not isinstance(whole, list) or len(whole) != 3 or whole[0] != _SHAPE:
        raise ValueError("these are hits of another release")
    return tuple(_hit(row) for row in whole[1]), whole[2]


def _row(hit: Hit) -> list[Any]:
    """Values without names: names would be most of a short passage."""
    return [[getattr(hit.chunk, name) for name in _CHUNK], *(getattr(hit, name) for name in _HIT)]


def _hit(row: list[Any]) -> Hit:
    chunk, *values = row
    given = dict(zip(_HIT, values, strict=True))
    return Hit(Chunk(**dict(zip(_CHUNK, chunk, strict=True))), **(given | {"duplicates": tuple(given["duplicates"])}))
