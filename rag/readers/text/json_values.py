"""JSON and JSON Lines: one line a value, with its path, so that any passage of the text tells what its values mean.

    invoices[0].customer.name: Ada

Each record of a JSON Lines file is a paragraph, and so is each object in the top-level list of a JSON file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeAlias

from rag.errors import ParsingLimit
from rag.readers.formats import JSON_LINES, TEXT
from rag.readers.source import SourceFile
from rag.readers.text_builder import TextBuilder
from rag.types import Extract

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

_MAX_PATH_CHARS = 300
"""Longer paths lose their beginning."""


def read(source: SourceFile) -> Extract:
    text = source.text()
    builder = TextBuilder(source)
    try:
        blocks = _record_blocks(text) if source.media_type == JSON_LINES else _blocks(json.loads(text))
        for block in blocks:
            builder.add(block)
    except RecursionError:
        raise ParsingLimit("has values nested too deeply") from None
    except ValueError:  # for example JSON with comments, or truncated: read as text
        return Extract(text=text, media_type=TEXT)
    return builder.extract(is_markdown=False)


def _record_blocks(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        try:
            yield "\n".join(value_lines(json.loads(line)))
        except ValueError:
            yield line


def _blocks(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        simple: list[str] = []
        for index, item in enumerate(value):
            lines = list(value_lines(item, f"[{index}]"))
            if isinstance(item, dict | list):
                yield "\n".join(lines)
            else:
                simple.append(str(_plain(item)))
        yield "\n".join(simple)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield "\n".join(value_lines(item, str(key)))
    else:
        yield _plain(value)


def value_lines(value: JsonValue, path: str = "") -> Iterator[str]:
    """A line `path: value` for each scalar that is not empty; a list of scalars is one line."""
    path = path[-_MAX_PATH_CHARS:]
    if isinstance(value, dict):
        for key, item in value.items():
            yield from value_lines(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        if words := ", ".join(filter(None, map(_plain, value))):
            yield f"{path}: {words}" if path else words
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from value_lines(item, f"{path}[{index}]")
    elif words := _plain(value):
        yield f"{path}: {words}" if path else words


def _plain(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
