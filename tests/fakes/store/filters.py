"""Evaluates OpenAI's filters without Milvus."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from rag.retrieve.search.filters import SPECIAL_KEYS
from rag.types import Chunk

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda stored, values: stored in values,
    "nin": lambda stored, values: stored not in values,
}


def matches_filter(node: Mapping[str, Any], chunk: Chunk) -> bool:
    kind = node["type"]
    if kind in ("and", "or"):
        results = [matches_filter(part, chunk) for part in node["filters"]]
        return all(results) if kind == "and" else any(results)
    key, value = node["key"], node["value"]
    stored = getattr(chunk, key) if key in SPECIAL_KEYS else chunk.attributes.get(key)
    if stored is None:
        return False
    try:
        return _COMPARE[kind](stored, value)
    except TypeError:
        return False
