"""Lossless JSON of an Extract, for transfer between processes and for storage."""

from __future__ import annotations

import itertools

import orjson

from rag.types import Extract, Heading, PageStart, Pair, PassagePairs, ReadingWarning
from rag.types.places import TextRun


def to_json(extract: Extract) -> bytes:
    """Raises TypeError for text with lone surrogates, which `rag.readers.read` never returns."""
    fields = {
        "text": extract.text,
        "media_type": extract.media_type,
        "is_markdown": extract.is_markdown,
        "headings": [[heading.start, heading.path] for heading in extract.headings],
        "pages": [[page.start, page.number] for page in extract.pages],
        "title": extract.title,
        "language": extract.language,
    }
    if extract.runs:
        fields["runs"] = list(itertools.chain.from_iterable(extract.runs))
    if extract.pairs is not None:
        fields["pairs"] = [
            [passage.start, passage.end, [[pair.question, pair.answer] for pair in passage.pairs]]
            for passage in extract.pairs
        ]
    if extract.warnings:
        fields["warnings"] = [warning.to_json() for warning in extract.warnings]
    return orjson.dumps(fields)


def from_json(content: bytes) -> Extract:
    """Raises ValueError, KeyError or TypeError for content that `to_json` has not written."""
    fields = orjson.loads(content)
    fields["headings"] = tuple(Heading(start, path) for start, path in fields["headings"])
    fields["pages"] = tuple(PageStart(start, number) for start, number in fields["pages"])
    fields["runs"] = tuple(map(TextRun._make, zip(*[iter(fields.get("runs", ()))] * len(TextRun._fields), strict=True)))
    if "pairs" in fields:
        fields["pairs"] = tuple(
            PassagePairs(start, end, tuple(Pair(question, answer) for question, answer in pairs))
            for start, end, pairs in fields["pairs"]
        )
    fields["warnings"] = tuple(map(ReadingWarning.from_json, fields.get("warnings", ())))
    return Extract(**fields)
