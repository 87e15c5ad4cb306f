"""The messages that edges and the Retriever exchange about batch lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.auth.caller import Caller
from rag.types import JsonMapping

if TYPE_CHECKING:
    from rag.catalog.batch_lines import LineKey


@dataclass(frozen=True, slots=True)
class FinishedLine:
    """A line that an edge has run."""

    key: LineKey
    status: int
    response: JsonMapping
    """OpenAI's `response` of the line."""


@dataclass(frozen=True, slots=True)
class ReleasedLine:
    """A line that an edge could not run now."""

    key: LineKey
    pause_s: float
    """How long its batch should wait."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an edge has done since its last report. A report can be repeated."""

    worker: str
    """The id of the edge's process."""
    running: Sequence[LineKey] = ()
    finished: Sequence[FinishedLine] = ()
    released: Sequence[ReleasedLine] = ()
    wanted: int = 0
    """How many more lines it can run."""


@dataclass(frozen=True, slots=True)
class AssignedLine:
    """A line that an edge is to run."""

    key: LineKey
    endpoint: str
    body: str
    """JSON in ASCII."""
    caller: Caller


@dataclass(frozen=True, slots=True)
class Assignment:
    lines: Sequence[AssignedLine]
    dropped: Sequence[LineKey]
    """Lines that the edge is to stop, because their batch has ended or another edge has them."""
