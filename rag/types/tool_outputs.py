"""What tools that the service runs return to the language model."""

from __future__ import annotations

from dataclasses import dataclass

from rag.types.json import JsonObject
from rag.types.retrieval import Hit


@dataclass(frozen=True, slots=True)
class KnownPassage:
    """A passage that an earlier search returned. What is within its text is not returned again."""

    chunk_id: str
    file_id: str
    start: int
    end: int

    def holds(self, hit: Hit) -> bool:
        chunk = hit.chunk
        is_within = self.start <= chunk.start and chunk.end <= self.end
        return chunk.chunk_id == self.chunk_id or (chunk.file_id == self.file_id and is_within)


@dataclass(frozen=True, slots=True)
class SearchOutput:
    """The result of a search that the language model asked for."""

    text: str
    """For the language model: the new passages with their numbers. Empty if there was no room for any text."""
    tokens: int
    """The length of `text`."""
    hits: tuple[Hit, ...]
    """The passages that were found, best first, without those that did not fit."""
    numbers: tuple[int, ...]
    """The number of each hit. A passage that an earlier search returned keeps its number."""
    top_k: int
    """The maximum number of passages."""
    note: str = ""
    """What could not be done as requested, and why."""
    explanations: tuple[JsonObject, ...] = ()
    """If requested: why each candidate of each query was returned or not."""
