"""The steps of an ingest job in which the language model makes questions of passages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rag.blobs import BlobFolder
from rag.catalog import files, jobs, versions
from rag.catalog.database import Database
from rag.errors import SetupError
from rag.ingest.event_loop import in_loop
from rag.ingest.progress import RunningJobs
from rag.ingest.question_prompts import pairs
from rag.ingest.writing import ChunkWriter
from rag.ports import ChatTokenizer, Generator
from rag.readers import extract_json
from rag.types import Chunk, Pair, PassagePairs

ASKED_AT_ONCE = 8
"""Passages of a step: a crash costs no more of the language model's work than these."""
_AT_THE_SAME_TIME = 4
"""Of all jobs together: people who wait for answers share the engine with them."""
_TIMEOUT_S = 300.0
_TOTALS = ("question_pairs", "passages_without_questions")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """What questions are made with.

    Args:
        context_tokens: The engine's context length, or who knows it; that may raise Unavailable.
    """

    generator: Generator
    tokenizer: ChatTokenizer
    context_tokens: Callable[[], int] | int


class PassageAsker:
    """Asks in the service's event loop on behalf of a thread.

    Args:
        model: None where there is none: no file may ask for questions then.
    """

    def __init__(self, model: LanguageModel | None, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._loop = loop
        self._turns = asyncio.Semaphore(_AT_THE_SAME_TIME)

    def ask(self, chunks: Sequence[Chunk], count: int, check: Callable[[int], None]) -> list[list[Pair]]:
        """At most `count` pairs of each chunk, in their order.

        Args:
            check: Called again and again with the number of chunks that are done; what it raises breaks the work off.

        Raises:
            Unavailable, DeadlineExceeded: the language model does not answer.
            SetupError: there is none.
        """
        done: list[Chunk] = []
        return in_loop(self._loop, self._ask_all(chunks, count, done), lambda: check(len(done)))

    async def _ask_all(self, chunks: Sequence[Chunk], count: int, done: list[Chunk]) -> list[list[Pair]]:
        if (model := self._model) is None:
            raise SetupError("questions cannot be asked about passages: no language model is at hand")

        async def ask(chunk: Chunk) -> list[Pair]:
            async with self._turns:
                tokens = model.context_tokens if isinstance(model.context_tokens, int) else model.context_tokens()
                found = await pairs(
                    model.generator,
                    model.tokenizer,
                    chunk.text,
                    chunk.heading,
                    count=count,
                    context_tokens=tokens,
                    timeout_s=_TIMEOUT_S,
                )
            done.append(chunk)
            return found

        tasks = [asyncio.ensure_future(ask(chunk)) for chunk in chunks]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class AskingWork:
    """What the steps do; see `rag.ingest.flow.IngestSteps`. All can be done again."""

    def __init__(
        self, database: Database, blobs: BlobFolder, writer: ChunkWriter, running: RunningJobs, asker: PassageAsker
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._writer = writer
        self._running = running
        self._asker = asker

    def passages_to_ask(self, version: Any) -> int:
        """Of a version that was read; 0 when no questions are wanted, or all were asked."""
        if not _wanted(version) or self._extract(version).pairs is not None:
            return 0
        return int(version.chunks)

    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]:
        """For the passages from `first` on their pairs of question and answer."""
        version = self._version(seq)
        if version.state != "pending" or self._extract(version).pairs is not None:
            return []
        chunks = self._writer.chunks(version)
        part = chunks[first : first + ASKED_AT_ONCE]
        last_done = -1

        def check(done: int) -> None:
            nonlocal last_done
            self._running.check(job_id)
            if done > last_done:
                last_done = done
                of = f"passage {first + min(done + 1, len(part))} of {len(chunks)}"
                self._running.report_progress(job_id, f"asking questions about {version.filename}, {of}")

        check(0)
        found = self._asker.ask(part, _wanted(version), check)
        return [[[pair.question, pair.answer] for pair in own] for own in found]

    def keep(self, job_id: str, seq: int, found: Sequence[Sequence[Sequence[str]]]) -> int | None:
        """Keep what was asked with the version's text: how many chunks it has by that; None when it is given up."""
        version = self._version(seq)
        if version.state != "pending":
            return None
        extract = self._extract(version)
        if extract.pairs is not None:
            return int(version.chunks)
        made = [
            PassagePairs(chunk.start, chunk.end, tuple(Pair(question, answer) for question, answer in own))
            for chunk, own in zip(self._writer.chunks(version), found, strict=True)
        ]
        content = extract_json.to_json(replace(extract, pairs=tuple(of for of in made if of.pairs)))
        extract_id = self._blobs.write(content)
        pairs_made, without = sum(len(of.pairs) for of in made), sum(not of.pairs for of in made)
        with self._database.write() as connection:
            files.add_blob(connection, extract_id, "extract", len(content))
            versions.was_asked(connection, seq, extract_id, len(made) + pairs_made)
            details = dict(jobs.row(connection, job_id).details)
            for name, more in zip(_TOTALS, (pairs_made, without), strict=True):
                details[name] = details.get(name, 0) + more
            jobs.set_details(connection, job_id, details)
        return len(made) + pairs_made

    def _version(self, seq: int) -> Any:
        with self._database.read() as connection:
            return versions.row(connection, seq)

    def _extract(self, version: Any) -> Any:
        return extract_json.from_json(self._blobs.read(version.extract_id))


def _wanted(version: Any) -> int:
    return int((version.chunking or {}).get("questions") or 0)
