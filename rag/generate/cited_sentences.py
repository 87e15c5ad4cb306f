"""What a mark in an answer stands for: its sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rag.chunkers.sentences import sentence_spans
from rag.generate.citations import Citation

_WORD = re.compile(r"\w")


def cited_sentences(text: str, citations: Sequence[Citation]) -> list[str]:
    """For each citation the sentence that it stands in, or right behind, without any marks.

    At the beginning of a line a mark belongs to the sentence that follows.
    """
    bare, places = _without_marks(text, citations)
    spans = list(sentence_spans(bare))
    return [_sentence_at(bare, spans, places[citation.start]) for citation in citations]


def _without_marks(text: str, citations: Iterable[Citation]) -> tuple[str, dict[int, int]]:
    """The text without marks and the blanks before them, and where they stood in it, by where they start."""
    parts, places, length, end = [], {}, 0, 0
    for citation in citations:
        if citation.start in places:
            continue
        part = text[end : citation.start].rstrip(" \t")
        parts.append(part)
        length += len(part)
        places[citation.start], end = length, citation.end
    return "".join([*parts, text[end:]]), places


def _sentence_at(text: str, spans: Sequence[tuple[int, int]], place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    if _WORD.search(line):
        start, end = next((span for span in reversed(spans) if span[0] < place), (0, 0))
    else:
        start, end = next((span for span in spans if span[1] > place), (0, 0))
    return text[start:end]
