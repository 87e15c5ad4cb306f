"""The ingest journey, as the steps of a durable job.

    plan -> (read a file)* -> write a window of chunks -> publish the files that are whole -> ... -> plan -> finish

Where questions are wanted, a file that was read is followed by (ask about some passages)* -> keep the questions.
A window holds chunks of many small files, or a part of a large one: enough for the encoder to sort by length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rag.ingest.job import JobLife, run_job
from rag.ingest.question_generation import ASKED_AT_ONCE
from rag.ports import Steps

WINDOW_CHUNKS = 256
"""Enough for the encoder to sort by length; a laptop does them in about six seconds."""
Part = tuple[int, int, int]
"""A version and a range of its chunks."""


class IngestSteps(JobLife, Protocol):
    """What a step does; see `rag.ingest.work`. All can be done again when a crash came before their end was kept."""

    def plan(self, job_id: str) -> list[int]: ...
    def read(self, job_id: str, seq: int) -> list[int]: ...
    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]: ...
    def keep_questions(self, job_id: str, seq: int, found: list[list[list[str]]]) -> int: ...
    def write(self, job_id: str, parts: list[list[int]]) -> None: ...
    def publish(self, job_id: str, seqs: list[int]) -> list[list[int]]: ...


@dataclass(slots=True)
class _Window:
    parts: list[Part] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    """Versions whose last chunk is in this window, or that need none written."""
    chunks: int = 0


def ingest_flow(work: IngestSteps, job_id: str, steps: Steps) -> None:
    """Take in the files of a job. What is wrong with one file is that file's error, not the job's.

    Raises:
        JobInterrupted: the process stops.
    """

    def body() -> None:
        while seqs := steps.run("plan", work.plan, job_id):
            for window in _windows(_read_all(work, job_id, steps, seqs)):
                _write(work, job_id, steps, window)

    run_job(work, job_id, steps, body)


def _read_all(work: IngestSteps, job_id: str, steps: Steps, seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each readable version and the number of its chunks that must be written."""
    for seq in seqs:
        chunks, passages_to_ask = steps.run(f"read v{seq}", work.read, job_id, seq)
        if passages_to_ask:
            chunks = _ask_all(work, job_id, steps, seq, passages_to_ask)
        if chunks >= 0:
            yield seq, chunks


def _ask_all(work: IngestSteps, job_id: str, steps: Steps, seq: int, passages: int) -> int:
    """Have questions made of all passages of a version: how many chunks must be written by that."""
    found: list[list[list[str]]] = []
    for first in range(0, passages, ASKED_AT_ONCE):
        found += steps.run(f"ask v{seq} {first}", work.ask, job_id, seq, first)
    return steps.run(f"keep questions v{seq}", work.keep_questions, job_id, seq, found)


def _windows(versions: Iterator[tuple[int, int]]) -> Iterator[_Window]:
    window = _Window()
    for seq, chunks in versions:
        start = 0
        while chunks - start > 0:
            end = min(chunks, start + WINDOW_CHUNKS - window.chunks)
            window.parts.append((seq, start, end))
            window.chunks += end - start
            start = end
            if start < chunks:
                yield window
                window = _Window()
        window.whole.append(seq)
        if window.chunks >= WINDOW_CHUNKS:
            yield window
            window = _Window()
    if window.parts or window.whole:
        yield window


def _write(work: IngestSteps, job_id: str, steps: Steps, window: _Window) -> None:
    if window.parts:
        steps.run("write", work.write, job_id, [list(part) for part in window.parts])
    whole = window.whole
    while whole:
        # The index was changed under us, or the attributes: rarely, and then once.
        again = [(seq, chunks) for seq, chunks in steps.run("publish", work.publish, job_id, whole)]
        for part in _windows(iter(again)):
            steps.run("write again", work.write, job_id, [list(p) for p in part.parts])
        whole = [seq for seq, _ in again]
