"""Batches of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rag.types import JsonMapping, JsonObject

BatchState: TypeAlias = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
"""OpenAI's states of a batch of requests."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch of requests that a client creates."""

    endpoint: str
    """The path of the route that all its requests are for."""
    input_file_id: str
    metadata: Mapping[str, str]
    output_expiry_s: int
    """After how many seconds its output files expire."""


@dataclass(frozen=True, slots=True)
class BatchFault:
    """Why a batch failed."""

    code: str
    message: str
    line: int | None = None
    """The number of the line in the input file, from 1."""
    param: str | None = None

    def to_json(self) -> JsonObject:
        return {"code": self.code, "line": self.line, "message": self.message, "param": self.param}


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch of requests, as clients see it."""

    id: str
    endpoint: str
    input_file_id: str
    state: BatchState
    errors: Sequence[JsonMapping]
    metadata: Mapping[str, str]
    model: str
    """The model of all its requests; empty if there are several or it is not known yet."""
    total: int
    completed: int
    failed: int
    usage: JsonMapping | None
    """Sums of its responses; None until it has ended, or if none of them had any."""
    output_file_id: str | None
    error_file_id: str | None
    created_at: float
    deadline_at: float
    in_progress_at: float | None
    finalizing_at: float | None
    cancelling_at: float | None
    ended_at: float | None
