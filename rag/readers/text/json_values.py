"""JSON and JSON Lines: one line a value, with its path, so that any passage of the text tells what its values mean.

    invoices[0].customer.name: Ada

Each record of a JSON Lines file is a paragraph, and so is each object in the top-level list of a JSON file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rag.errors import ParsingLimit
from rag.readers.extract.text_builder import TextBuilder
from rag.readers.formats import JSON_LINES, TEXT
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.readers.text import json_variants, notebook
from rag.readers.text.json_variants import JsonValue
from rag.readers.text.value_lines import plain, value_lines
from rag.types import Extract

_TOO_DEEP: Final = "has values nested too deeply"


def read(source: SourceFile) -> Extract:
    text = source.text()
    try:
        if source.media_type == JSON_LINES:
            return _extract(source, _record_blocks(text))
        value = json_variants.parsed(text)
    except RecursionError:
        raise ParsingLimit(_TOO_DEEP) from None
    except ValueError:
        return _read_variant(source, text)
    return _value_extract(source, value)


def _value_extract(source: SourceFile, value: JsonValue) -> Extract:
    if notebook.is_notebook(value):
        return notebook.notebook_extract(source, value)
    return _extract(source, _blocks(value))


def _extract(source: SourceFile, blocks: Iterable[str]) -> Extract:
    builder = TextBuilder(source)
    try:
        for block in blocks:
            builder.add(block)
    except RecursionError:
        raise ParsingLimit(_TOO_DEEP) from None
    return builder.extract(is_markdown=False)


def _read_variant(source: SourceFile, text: str) -> Extract:
    """JSON Lines under the name of JSON, or JSON with comments; anything else is read as text."""
    try:
        if (values := json_variants.sequence(text)) is not None:
            return _extract(source, ("\n".join(value_lines(value)) for value in values))
        if (relaxed := json_variants.relaxed(text)) is not None:
            if relaxed.comments:
                source.report.warn(warning("comments", count=relaxed.comments))
            return _value_extract(source, relaxed.value)
    except RecursionError:
        raise ParsingLimit(_TOO_DEEP) from None
    return Extract(text=text, media_type=TEXT)


def _record_blocks(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        try:
            yield "\n".join(value_lines(json_variants.parsed(line)))
        except ValueError:
            yield line


def _blocks(value: JsonValue, path: str = "") -> Iterator[str]:
    """The value's lines. Each object in a list is a block of its own, and so is each member of the outermost object."""
    if isinstance(value, list) and (not path or _has_records(value)):
        simple: list[str] = []
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield "\n".join(value_lines(item, f"{path}[{index}]"))
            else:
                simple.append(f"{path}[{index}]: {plain(item)}" if path else plain(item))
        yield "\n".join(simple)
    elif isinstance(value, dict) and value and (not path or _has_records(value)):
        for key, item in value.items():
            yield from _blocks(item, f"{path}.{key}" if path else str(key))
    else:
        yield "\n".join(value_lines(value, path))


def _has_records(value: JsonValue) -> bool:
    """Whether this is a list with objects, or an object that contains one at any depth."""
    if isinstance(value, dict):
        return any(map(_has_records, value.values()))
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
