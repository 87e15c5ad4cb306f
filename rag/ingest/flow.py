"""The ingest journey, as the steps of a durable job.

    plan -> (read a file)* -> write a window of chunks -> publish the files that are whole -> ... -> plan -> finish

A window holds chunks of many small files, or a part of a large one: enough for the encoder to sort by length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rag.ports import Steps

WINDOW_CHUNKS = 256
"""Enough for the encoder to sort by length; a laptop does them in about six seconds."""
Part = tuple[int, int, int]
"""A version and a range of its chunks."""


class JobCancelled(Exception):
    """Somebody cancelled the job; it ends here."""


class JobInterrupted(Exception):
    """The process stops; the job goes on at its next start."""


class IngestSteps(Protocol):
    """What a step does; see `rag.ingest.work`. All can be done again when a crash came before their end was kept."""

    def begin(self, job_id: str) -> bool: ...
    def plan(self, job_id: str) -> list[int]: ...
    def read(self, job_id: str, seq: int) -> int: ...
    def write(self, job_id: str, parts: list[list[int]]) -> None: ...
    def publish(self, job_id: str, seqs: list[int]) -> list[list[int]]: ...
    def finish(self, job_id: str) -> None: ...
    def abort(self, job_id: str, error: Exception) -> None: ...
    def leave(self, job_id: str) -> None: ...


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
    try:
        if not work.begin(job_id):
            return
        while seqs := steps.run("plan", work.plan, job_id):
            for window in _windows(_read_all(work, job_id, steps, seqs)):
                _write(work, job_id, steps, window)
        steps.run("finish", work.finish, job_id)
    except JobCancelled:
        return
    except JobInterrupted:
        raise
    except Exception as error:
        work.abort(job_id, error)
    finally:
        work.leave(job_id)


def _read_all(work: IngestSteps, job_id: str, steps: Steps, seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each readable version and the number of its chunks that must be written."""
    for seq in seqs:
        chunks = steps.run(f"read v{seq}", work.read, job_id, seq)
        if chunks >= 0:
            yield seq, chunks


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
