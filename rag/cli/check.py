"""`check`: reads files as the service would, and shows what it finds in them. No service is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rag.cli.options import chunking_option, json_option
from rag.cli.output import fail, print_fields, print_json, print_line, print_message
from rag.errors import RagError
from rag.types import Extract, JsonObject, Passage
from rag.types.places import rectangles, unpacked
from rag.upload import LocalFile, select_files

if TYPE_CHECKING:
    from rag.ports import Parser

Chunk = Callable[[Extract], Sequence[Passage]]


@click.command()
@click.argument("paths", nargs=-1, required=True)
@chunking_option
@json_option
def check(paths: tuple[str, ...], chunking: JsonObject | None, as_json: bool) -> None:
    """Read files without storing them: their type, text, passages, and what was not read.

    Takes folders, globs and files, as `ingest` does. Settings such as RAG_INGEST__CHUNK_CHARS apply.
    """
    selection = select_files(paths)
    if selection.unmatched:
        fail(f"no such file or folder: {', '.join(selection.unmatched)}")
    parser, chunk = _reading(chunking)
    try:
        results = [_check(file, parser, chunk, as_json=as_json) for file in selection.files]
    finally:
        parser.close()
    sys.exit(0 if all(results) else 1)


def _reading(chunking: JsonObject | None) -> tuple[Parser, Chunk]:
    """What the service reads and splits files with, by its settings."""
    from rag.bootstrap import documents
    from rag.chunkers import strategy as strategies

    try:
        chosen = strategies.to_json(strategies.parse(chunking, documents.default_chunking()))
        return documents.make_parser(), lambda extract: documents.chunk_extract(extract, chosen)
    except RagError as error:
        fail(error.message)


def _check(file: LocalFile, parser: Parser, chunk: Chunk, *, as_json: bool) -> bool:
    """Print what is in a file. Returns whether it can be read."""
    try:
        extract = parser.parse(file.path, file.name)
        passages = chunk(extract)
    except RagError as error:
        if as_json:
            print_json({"filename": file.name, "error": {"code": error.code, "message": error.message}})
        else:
            print_message(f"failed: {error.message}")
        return False
    if as_json:
        print_json(_report(file.name, extract, passages))
    else:
        _print_report(file.name, extract, passages)
    return True


def _report(name: str, extract: Extract, passages: Sequence[Passage]) -> JsonObject:
    return {
        "filename": name,
        "media_type": extract.media_type,
        "title": extract.title,
        "language": extract.language,
        "pages": len(extract.pages),
        "warnings": list(extract.warnings),
        "text": extract.text,
        "passages": [_passage(passage) for passage in passages],
        "error": None,
    }


def _passage(passage: Passage) -> JsonObject:
    fields = asdict(passage)
    places = rectangles(unpacked(fields.pop("places"), passage.start))
    return {**fields, "rectangles": [asdict(rectangle) for rectangle in places]}


def _print_report(name: str, extract: Extract, passages: Sequence[Passage]) -> None:
    print_line(f"=== {name}")
    facts = {
        "type": extract.media_type,
        "title": extract.title,
        "language": extract.language,
        "pages": len(extract.pages) or None,
        "characters": len(extract.text),
        "passages": len(passages),
    }
    print_fields(facts.items())
    for warning in extract.warnings:
        print_line(f"warning: {warning}")
    for number, passage in enumerate(passages, 1):
        page = f", page {passage.page}" if passage.page is not None else ""
        heading = f", {passage.heading}" if passage.heading else ""
        print_line(f"--- passage {number}, characters {passage.start} to {passage.end}{page}{heading}")
        for line in passage.header.splitlines():
            print_line(f"(header) {line}")
        print_line(passage.text)
