"""Passages that say the same become one hit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rag.types import Chunk, Hit

_SHINGLE_WORDS = 3
_WORDS = re.compile(r"\w+")


@dataclass(slots=True)
class _Kept:
    hit: Hit
    key: tuple[str, str]
    shingles: frozenset[tuple[str, ...]]
    duplicates: list[str]


def collapsed(hits: Iterable[Hit], likeness: float, *, at_most: int, all_duplicates: bool = True) -> list[Hit]:
    """Each text once, in the order given, with the ids of the passages that it stands for.

    The same are: parts of one larger text, which is what the language model gets; texts of the same words; and texts
    whose runs of three words are alike, as Jaccard's index of the two sets tells (Broder, 1997).

    Args:
        hits: Best first.
        likeness: In [0, 1]; 1: only those of the same words.
        at_most: Hits to return; of the others nothing is known.
        all_duplicates: Whether passages behind the last hit that is returned are looked at as well.
    """
    kept: list[_Kept] = []
    for hit in hits:
        if len(kept) == at_most and not all_duplicates:
            break
        one = _Kept(hit, _larger_text(hit.chunk), _shingles(hit.chunk.text), [])
        if (same := next((k for k in kept if _same(k, one, likeness)), None)) is not None:
            same.duplicates.append(hit.chunk.chunk_id)
        elif len(kept) < at_most:
            kept.append(one)
    return [replace(k.hit, duplicates=tuple(k.duplicates)) for k in kept]


def _larger_text(chunk: Chunk) -> tuple[str, str]:
    return chunk.version_id, chunk.context or chunk.text


def _same(one: _Kept, other: _Kept, likeness: float) -> bool:
    if one.key == other.key:
        return True
    fewer, more = sorted((len(one.shingles), len(other.shingles)))
    if fewer < likeness * more:
        return False
    common = len(one.shingles & other.shingles)
    return common >= likeness * (fewer + more - common) and common > 0


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORDS.findall(text.casefold())
    if len(words) <= _SHINGLE_WORDS:
        return frozenset([tuple(words)]) if words else frozenset()
    return frozenset(_runs(words))


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[offset:] for offset in range(_SHINGLE_WORDS)), strict=False)


def presented(hit: Hit) -> Hit:
    """The hit with the larger text that it stands for in place of the passage that was found."""
    chunk = hit.chunk
    if not chunk.context:
        return hit
    start, end = _place(chunk)
    return replace(hit, chunk=replace(chunk, text=chunk.context, context="", start=start, end=end))


def _place(chunk: Chunk) -> tuple[int, int]:
    """Where the larger text stands in the document; where the passage does when that cannot be told."""
    before = chunk.context.find(chunk.text)
    if before < 0:
        return chunk.start, chunk.end
    return chunk.start - before, chunk.start - before + len(chunk.context)
