"""Headers, and which of them a passage needs."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MAX_CHARS = 1_000
"""Of the header of a very wide table, no more than this."""


@dataclass(frozen=True, slots=True)
class Header:
    """Text that a passage needs if it begins after `start` and before `end`. Offsets are those of the document."""

    start: int
    end: int
    text: str
    is_record: bool = False


class Headers:
    """The headers of a document. Those of nested records are nested as well."""

    def __init__(self, headers: Iterable[Header]) -> None:
        self._headers = sorted(headers, key=lambda header: (header.start, -header.end))
        self._parents: list[int] = []
        open_headers: list[int] = []
        for number, header in enumerate(self._headers):
            while open_headers and self._headers[open_headers[-1]].end <= header.start:
                open_headers.pop()
            self._parents.append(open_headers[-1] if open_headers else -1)
            open_headers.append(number)

    def at(self, offset: int) -> str:
        """What a passage that begins at this offset depends on, outermost first; empty if it depends on nothing."""
        texts = list(dict.fromkeys(header.text for header in self._around(offset)))
        return "\n".join(reversed(texts))[:_MAX_CHARS]

    def split_at_records(self, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The spans, of which those that begin inside a record end with it: what follows is about something else."""
        for start, end in spans:
            while (record_end := self._record_end(start)) and record_end < end:
                yield start, record_end
                start = record_end
            yield start, end

    def _record_end(self, offset: int) -> int | None:
        return next((header.end for header in self._around(offset) if header.is_record), None)

    def _around(self, offset: int) -> Iterator[Header]:
        """The headers that something at this offset needs, innermost first."""
        number = bisect.bisect_left(self._headers, offset, key=lambda header: header.start) - 1
        while number >= 0:
            header = self._headers[number]
            if offset < header.end:
                yield header
            number = self._parents[number]
