"""Text that was read from JSON: lines `path: value`, with an empty line between the lines of a JSON Lines file."""

from __future__ import annotations

from rag.chunkers.headers import JSON_PATH

_SUFFIXES = (".json", ".jsonl", ".ndjson")


def is_record_text(filename: str) -> bool:
    """Whether the text of a file consists of lines `path: value`."""
    return filename.lower().endswith(_SUFFIXES)


def begins_with_value(text: str) -> bool:
    """Whether a part of such a text begins with a path, rather than within a value."""
    return JSON_PATH.match(text) is not None
