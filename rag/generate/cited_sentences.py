"""Finds the sentence that a citation belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag.chunkers.sentences import sentence_spans
from rag.generate.citations import Citation

_WORD = re.compile(r"\w")


def cited_sentences(text: str, citations: Sequence[Citation]) -> list[str]:
    """The sentence that contains or precedes each citation, without its citations.

    A citation at the beginning of a line belongs to the sentence after it.
    """
    plain, positions = _without_citations(text, citations)
    spans = list(sentence_spans(plain))
    return [_sentence_at(plain, spans, positions[citation.start]) for citation in citations]


def _without_citations(text: str, citations: Iterable[Citation]) -> tuple[str, dict[int, int]]:
    """The text without citations and the spaces before them, and where each citation would be in it."""
    parts, positions, length, end = [], {}, 0, 0
    for citation in citations:
        if citation.start in positions:
            continue
        part = text[end : citation.start].rstrip(" \t")
        parts.append(part)
        length += len(part)
        positions[citation.start], end = length, citation.end
    return "".join([*parts, text[end:]]), positions


def _sentence_at(text: str, spans: Sequence[tuple[int, int]], position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    if _WORD.search(line):
        start, end = next((span for span in reversed(spans) if span[0] < position), (0, 0))
    else:
        start, end = next((span for span in spans if span[1] > position), (0, 0))
    return text[start:end]
