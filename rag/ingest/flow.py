"""Ingest as the steps of a durable job.

    plan -> (read a file)* -> write a window of chunks -> publish the complete files -> ... -> plan -> finish

If questions are to be generated, reading a file is followed by (ask about some passages)* -> keep questions. A window
holds the chunks of many small files, or a part of a large one, so that the encoder can sort them by length.

The names of the steps are stored: a job that was interrupted before an upgrade resumes by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rag.ingest.job import JobLifecycle, run_job
from rag.ingest.question_generation import PASSAGES_PER_STEP
from rag.ports import Steps

WINDOW_CHUNKS = 256
"""Chunks written by one step; a laptop embeds them in about six seconds."""
ChunkRange = tuple[int, int, int]
"""A version and a range of its chunks: number of the version, first chunk, chunk after the last."""


class IngestSteps(JobLifecycle, Protocol):
    """The work of each step; see `rag.ingest.work`. Steps must be idempotent: after a crash, a finished step may run
    again.
    """

    def plan(self, job_id: str) -> list[int]: ...
    def read(self, job_id: str, seq: int) -> list[int]: ...
    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]: ...
    def keep_questions(self, job_id: str, seq: int, generated: list[list[list[str]]]) -> int: ...
    def write(self, job_id: str, parts: list[list[int]]) -> None: ...
    def publish(self, job_id: str, seqs: list[int]) -> list[list[int]]: ...


@dataclass(slots=True)
class _Window:
    parts: list[ChunkRange] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)
    """Versions whose last chunk is in this window, or that need none written."""
    chunks: int = 0


def ingest_flow(work: IngestSteps, job_id: str, steps: Steps) -> None:
    """Ingest the files of a job. An error in one file fails that file, not the job.

    Raises:
        JobInterrupted: the process is stopping.
    """

    def body() -> None:
        while seqs := steps.run("plan", work.plan, job_id):
            for window in _windows(_read_all(work, job_id, steps, seqs)):
                _write(work, job_id, steps, window)

    run_job(work, job_id, steps, body)


def _read_all(work: IngestSteps, job_id: str, steps: Steps, seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each version that could be read, with the number of its chunks that must be written."""
    for seq in seqs:
        chunks, passages_to_ask = steps.run(f"read v{seq}", work.read, job_id, seq)
        if passages_to_ask:
            chunks = _generate_questions(work, job_id, steps, seq, passages_to_ask)
        if chunks >= 0:
            yield seq, chunks


def _generate_questions(work: IngestSteps, job_id: str, steps: Steps, seq: int, passages: int) -> int:
    """Generate questions for all passages of a version. Returns the number of chunks that must be written then."""
    generated: list[list[list[str]]] = []
    for first in range(0, passages, PASSAGES_PER_STEP):
        generated += steps.run(f"ask v{seq} {first}", work.ask, job_id, seq, first)
    return steps.run(f"keep questions v{seq}", work.keep_questions, job_id, seq, generated)


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
        window.complete.append(seq)
        if window.chunks >= WINDOW_CHUNKS:
            yield window
            window = _Window()
    if window.parts or window.complete:
        yield window


def _write(work: IngestSteps, job_id: str, steps: Steps, window: _Window) -> None:
    if window.parts:
        steps.run("write", work.write, job_id, [list(part) for part in window.parts])
    complete = window.complete
    while complete:
        # Versions whose index or attributes changed meanwhile are written again: rarely, and then usually once.
        outdated = [(seq, chunks) for seq, chunks in steps.run("publish", work.publish, job_id, complete)]
        for part in _windows(iter(outdated)):
            steps.run("write again", work.write, job_id, [list(p) for p in part.parts])
        complete = [seq for seq, _ in outdated]
