"""Joins a hit that is a part of a table, list or record with the chunks around it that hold the rest.

The hits grow in turns, by one chunk at a time, until their tables are whole or the tokens are used up. So the prompt
has the whole of a table that fits and the rows around the hit of a larger one, and no hit takes the share of another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.retrieve.neighbours import gap_between, neighbour_id
from rag.retrieve.prompting.continuation import begins_in_row, begins_with_row, may_be_part, shared_table
from rag.types import Chunk, Hit
from rag.types.places import packed, runs_between, unpacked

_MAX_NEIGHBOURS = 64
"""Chunks to read for all hits of a prompt together."""
_MAX_GAP = 100
"""Characters of whitespace between two successive chunks."""
_BEFORE, _AFTER = -1, 1


def joinable_ids(hits: Sequence[Hit]) -> list[str]:
    """Ids of the chunks around the hits that may hold the rest of a table, list or record; some may not exist."""
    parts = [hit.chunk for hit in hits if may_be_part(hit.chunk)]
    reach = max(1, _MAX_NEIGHBOURS // (2 * len(parts) or 1))
    distances = [distance for distance in range(-reach, reach + 1) if distance]
    return [each for each in dict.fromkeys(neighbour_id(part, by) for part in parts for by in distances) if each]


@dataclass(frozen=True, slots=True)
class JoinedHits:
    hits: list[Hit]
    """In the order of the given hits, without those that were merged into a better hit."""
    tokens: int
    """Number of tokens in the added text."""


def join_hits(
    hits: Sequence[Hit], neighbours: Mapping[str, Chunk], max_tokens: int, count: Callable[[str], int]
) -> JoinedHits:
    """The hits, joined with neighbours of at most `max_tokens`.

    Args:
        hits: Best first.
        neighbours: Chunks around the hits, by id.
        count: Counts the tokens of a text.
    """
    joiner = _Joiner(hits, neighbours, max_tokens, count)
    joiner.join()
    return JoinedHits([group.joined() for group in joiner.groups], max_tokens - joiner.tokens_left)


@dataclass(slots=True)
class _Side:
    """One of the two sides on which a group grows."""

    grown: int = 0
    table: str = ""
    """What it continues; see `shared_table`."""
    is_closed: bool = False


@dataclass(slots=True, eq=False)
class _Group:
    """Successive chunks of a document, of which one or more are hits."""

    rank: int
    hit: Hit
    """The best of the hits."""
    chunks: deque[Chunk]
    """In the order of the document."""
    sides: dict[int, _Side] = field(default_factory=lambda: {_BEFORE: _Side(), _AFTER: _Side()})

    def edge(self, side: int) -> Chunk:
        return self.chunks[0 if side == _BEFORE else -1]

    def add(self, side: int, chunk: Chunk) -> None:
        self.sides[side].grown += 1
        self.chunks.insert(0 if side == _BEFORE else len(self.chunks), chunk)

    def new_text(self, side: int, chunk: Chunk) -> str:
        """What the chunk would add; empty for another part of the larger text that a chunk of the group stands for."""
        edge = self.edge(side)
        if chunk.text == edge.text:
            return ""
        return chunk.text if side == _BEFORE else chunk.text[max(0, edge.end - chunk.start) :]

    def joined(self) -> Hit:
        return self.hit if len(self.chunks) == 1 else replace(self.hit, chunk=_joined(self.hit.chunk, self.chunks))


class _Joiner:
    def __init__(
        self, hits: Sequence[Hit], neighbours: Mapping[str, Chunk], max_tokens: int, count: Callable[[str], int]
    ) -> None:
        self.groups = [_Group(rank, hit, deque([hit.chunk])) for rank, hit in enumerate(hits)]
        self.tokens_left = max_tokens
        self._neighbours = neighbours
        self._count = count
        self._group_of = {group.hit.chunk.chunk_id: group for group in self.groups}

    def join(self) -> None:
        growing = deque(group for group in self.groups if may_be_part(group.hit.chunk))
        while growing:
            group = growing.popleft()
            if group in self.groups and (larger := self._grown(group)) and larger not in growing:
                growing.append(larger)

    def _grown(self, group: _Group) -> _Group | None:
        """The group with one more chunk, or joined with another group; None if it cannot grow."""
        for side in sorted((_AFTER, _BEFORE), key=lambda side: group.sides[side].grown):
            chunk = self._next(group, side)
            if chunk is None:
                group.sides[side].is_closed = True
            elif other := self._group_of.get(chunk.chunk_id):
                return self._merged(group, other, side)
            elif (tokens := self._count(group.new_text(side, chunk))) <= self.tokens_left:
                self.tokens_left -= tokens
                self._group_of[chunk.chunk_id] = group
                group.add(side, chunk)
                return group
            else:
                group.sides[side].is_closed = True
        return None

    def _next(self, group: _Group, side: int) -> Chunk | None:
        """The next chunk of the group's table, list or record on one side."""
        state, edge = group.sides[side], group.edge(side)
        chunk = self._neighbours.get(neighbour_id(edge, side))
        if chunk is None or state.is_closed:
            return None
        if not group.new_text(side, chunk):
            return chunk
        before, after = (chunk, edge) if side == _BEFORE else (edge, chunk)
        table = shared_table(before, after) if _are_adjacent(before, after) else ""
        state.table = state.table or table
        return chunk if table and table == state.table else None

    def _merged(self, group: _Group, other: _Group, side: int) -> _Group:
        before, after = (group, other) if side == _AFTER else (other, group)
        best, rest = (group, other) if group.rank < other.rank else (other, group)
        best.chunks, best.sides = (
            before.chunks + after.chunks,
            {_BEFORE: before.sides[_BEFORE], _AFTER: after.sides[_AFTER]},
        )
        self._group_of |= {chunk.chunk_id: best for chunk in best.chunks}
        self.groups.remove(rest)
        return best


def _joined(chunk: Chunk, parts: Sequence[Chunk]) -> Chunk:
    """The chunk with the text of successive chunks, of which it is one, and their pages and places."""
    first = last = parts[0]
    text, runs = first.text, unpacked(first.places, first.start)
    for part in parts:
        if part.text != last.text:
            text += _gap(last, part) + part.text[max(0, last.end - part.start) :]
            runs += runs_between(unpacked(part.places, part.start), last.end, part.end)
            last = part
    pages = {page.number: page for part in parts for page in part.pages}
    return replace(
        chunk,
        text=text,
        start=first.start,
        end=last.end,
        header=first.header,
        pages=tuple(pages[number] for number in sorted(pages)),
        places=packed(runs, first.start),
    )


def _are_adjacent(before: Chunk, after: Chunk) -> bool:
    """False if an offset is wrong: that of a larger text is estimated; see `chunk_with_context`."""
    overlap = before.end - after.start
    return -_MAX_GAP <= overlap <= 0 or before.text[-overlap:] == after.text[:overlap]


def _gap(chunk: Chunk, following: Chunk) -> str:
    chars = max(0, following.start - chunk.end)
    if begins_in_row(following):
        return " " * chars
    return "\n" * chars if begins_with_row(following) else gap_between(chunk, following)
