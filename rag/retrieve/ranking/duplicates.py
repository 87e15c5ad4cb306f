"""Removes duplicate hits, and replaces passages by the larger text around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rag.retrieve.ranking.differences import changes_meaning
from rag.types import Chunk, Hit

_SHINGLE_WORDS = 3
_WORDS = re.compile(r"\w+")


@dataclass(slots=True)
class _Distinct:
    """A hit with the duplicates that it stands for."""

    hit: Hit
    larger_text: tuple[str, str]
    shingles: frozenset[tuple[str, ...]]
    duplicates: list[str]


def deduplicate(hits: Iterable[Hit], threshold: float, *, max_hits: int, all_duplicates: bool = True) -> list[Hit]:
    """Each text once, in the given order, with the chunk ids of its duplicates.

    Two hits are duplicates if they belong to the same larger text, which is what the language model gets, or if the
    Jaccard similarity of their three-word shingles reaches the threshold (Broder, 1997) and they do not differ in a
    number, sign, symbol, negation, unit or name.

    Args:
        hits: Best first.
        threshold: In [0, 1]; 1: only texts with the same shingles.
        max_hits: Hits to return.
        all_duplicates: Whether to also look for duplicates behind the last returned hit.
    """
    distinct: list[_Distinct] = []
    for hit in hits:
        if len(distinct) == max_hits and not all_duplicates:
            break
        new = _Distinct(hit, _larger_text(hit.chunk), _shingles(_whole(hit.chunk)), [])
        original = next((each for each in distinct if _are_duplicates(each, new, threshold)), None)
        if original is not None:
            original.duplicates.append(hit.chunk.chunk_id)
        elif len(distinct) < max_hits:
            distinct.append(new)
    return [replace(each.hit, duplicates=tuple(each.duplicates)) for each in distinct]


def _larger_text(chunk: Chunk) -> tuple[str, str]:
    return chunk.version_id, chunk.context or _whole(chunk)


def _whole(chunk: Chunk) -> str:
    """The passage with its header: rows with the same values of two tables say different things."""
    return f"{chunk.header}\n{chunk.text}" if chunk.header else chunk.text


def _are_duplicates(one: _Distinct, other: _Distinct, threshold: float) -> bool:
    if one.larger_text == other.larger_text:
        return True
    fewer, more = sorted((len(one.shingles), len(other.shingles)))
    if fewer < threshold * more:
        return False
    common = len(one.shingles & other.shingles)
    are_similar = common >= threshold * (fewer + more - common) and common > 0
    return are_similar and not changes_meaning(_whole(one.hit.chunk), _whole(other.hit.chunk))


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORDS.findall(text.casefold())
    if len(words) <= _SHINGLE_WORDS:
        return frozenset([tuple(words)]) if words else frozenset()
    return frozenset(_ngrams(words))


def _ngrams(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[offset:] for offset in range(_SHINGLE_WORDS)), strict=False)


def with_context(hit: Hit) -> Hit:
    """The hit with its passage replaced by the larger text around it."""
    return replace(hit, chunk=chunk_with_context(hit.chunk)) if hit.chunk.context else hit


def chunk_with_context(chunk: Chunk) -> Chunk:
    if not chunk.context:
        return chunk
    start, end = _span(chunk)
    return replace(chunk, text=chunk.context, context="", start=start, end=end)


def _span(chunk: Chunk) -> tuple[int, int]:
    """Offsets of the larger text in the document; of the passage if the larger text does not contain it literally."""
    before = chunk.context.find(chunk.text)
    if before < 0:
        return chunk.start, chunk.end
    return chunk.start - before, chunk.start - before + len(chunk.context)
