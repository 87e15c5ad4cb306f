"""Chunking strategies between the wire and the library."""

from __future__ import annotations

from typing import Any

from rag.chunkers import strategy
from rag.records import Strategy
from rag.types import JsonObject

_THE_DEFAULT = strategy.RecursiveStrategy()
"""A marker: which strategy is the default is the library's to say."""


def from_wire(data: Any) -> Strategy | None:
    """What the library keeps; None for `auto` and for nothing. Raises InvalidRequest."""
    chosen = strategy.parse(data, _THE_DEFAULT)
    return None if chosen is _THE_DEFAULT else strategy.to_json(chosen)


def to_wire(kept: Strategy | None) -> JsonObject | None:
    return None if kept is None else strategy.to_wire(strategy.from_json(kept))
