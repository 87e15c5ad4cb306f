"""Jupyter notebooks: Markdown cells as they are, code cells and their text outputs as fenced code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeGuard

from rag.errors import BrokenFile
from rag.readers.reading_report import warning
from rag.readers.source import SourceFile
from rag.readers.text.markdown import markdown_extract
from rag.types import Extract

_JsonObject: TypeAlias = Mapping[str, Any]

_ATTACHMENT = re.compile(r"!\[([^\]]*)\]\(attachment:[^)]*\)")
_BACKTICKS = re.compile(r"`{3,}")


def is_notebook(value: object) -> TypeGuard[_JsonObject]:
    return isinstance(value, dict) and "nbformat" in value and bool({"cells", "worksheets"} & value.keys())


def read(source: SourceFile) -> Extract:
    try:
        value = json.loads(source.text())
    except (ValueError, RecursionError):
        value = None
    if not is_notebook(value):
        raise BrokenFile("is not a notebook: it is not JSON with cells")
    return notebook_extract(source, value)


def notebook_extract(source: SourceFile, notebook: _JsonObject) -> Extract:
    """The extract of a notebook in JSON. Pictures are reported."""
    writer = _Writer(_language(notebook))
    for cell in _cells(notebook):
        writer.cell(cell)
    if writer.pictures:
        source.report.warn(warning("pictures", count=writer.pictures))
    title = _object(notebook.get("metadata")).get("title")
    return markdown_extract(source, "\n\n".join(writer.parts), title if isinstance(title, str) else "")


def _cells(notebook: _JsonObject) -> Iterator[_JsonObject]:
    """The cells, which were in worksheets before version 4 of the format."""
    for sheet in [notebook, *_objects(notebook.get("worksheets"))]:
        yield from _objects(sheet.get("cells"))


def _language(notebook: _JsonObject) -> str:
    metadata = _object(notebook.get("metadata"))
    name = _object(metadata.get("language_info")).get("name") or _object(metadata.get("kernelspec")).get("language")
    return name if isinstance(name, str) and name.isalnum() else "python"


class _Writer:
    """Collects the text of cells, and counts pictures."""

    def __init__(self, language: str) -> None:
        self.parts: list[str] = []
        self.pictures = 0
        self._language = language

    def cell(self, cell: _JsonObject) -> None:
        source = _text(cell.get("source", cell.get("input")))
        kind = cell.get("cell_type")
        if kind == "code":
            self._add(_fenced(source, self._language))
            for output in _objects(cell.get("outputs")):
                self._add(self._output(output))
        elif kind == "heading":
            self._add(f"{'#' * _heading_level(cell)} {source}")
        else:
            self.pictures += len(_ATTACHMENT.findall(source))
            self._add(_ATTACHMENT.sub(r"\1", source).strip("\n"))

    def _add(self, text: str) -> None:
        if text.strip():
            self.parts.append(text)

    def _output(self, output: _JsonObject) -> str:
        if output.get("output_type") == "error":
            return _fenced(f"{output.get('ename', '')}: {output.get('evalue', '')}")
        data = _object(output.get("data")) or output
        if any(name.startswith("image/") or name in ("png", "jpeg", "svg") for name in data):
            self.pictures += 1
            return ""
        if markdown := _text(data.get("text/markdown")):
            return markdown
        return _fenced(_text(data.get("text/plain")) or _text(output.get("text")))


def _heading_level(cell: _JsonObject) -> int:
    level = cell.get("level")
    return level if isinstance(level, int) and 1 <= level <= 6 else 1


def _text(value: object) -> str:
    """Text is stored as a string or as a list of lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _fenced(text: str, language: str = "") -> str:
    text = text.strip("\n")
    fence = "`" * max(3, *(len(run) + 1 for run in _BACKTICKS.findall(text)), 3)
    return f"{fence}{language}\n{text}\n{fence}" if text.strip() else ""


def _object(value: object) -> _JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[_JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
