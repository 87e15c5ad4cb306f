"""The steps of an ingest job in which the language model generates questions about passages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.blobs import BlobFolder
from rag.catalog import versions
from rag.catalog.database import Database
from rag.catalog.documents import files, jobs
from rag.catalog.tables.rows import VersionRow
from rag.errors import SetupError
from rag.ingest.event_loop import run_in_loop
from rag.ingest.progress import RunningJobs
from rag.ingest.question_prompts import pair_passages, pairs
from rag.ingest.version_chunks import VersionChunks, VersionPassages
from rag.ports import ChatTokenizer, Generator
from rag.readers.extract import extract_json
from rag.records.job_step import JobStep
from rag.types import Chunk, Pair, PassagePairs

PASSAGES_PER_STEP = 8
"""A crash repeats the language model's work for at most so many passages."""
_MAX_CONCURRENT = 4
"""Maximum number of requests of all jobs together, because users' requests need the engine, too."""
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The language model that generates questions.

    Args:
        context_tokens: The engine's context length, or a function that returns it; that may raise Unavailable.
    """

    generator: Generator
    tokenizer: ChatTokenizer
    context_tokens: Callable[[], int] | int


class QuestionGenerator:
    """Generates question-answer pairs in the service's event loop, and blocks the calling thread meanwhile.

    Args:
        model: None if there is no language model; files then cannot request questions.
    """

    def __init__(self, model: LanguageModel | None, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._loop = loop
        self._slots = asyncio.Semaphore(_MAX_CONCURRENT)

    def generate(self, chunks: Sequence[Chunk], count: int, check: Callable[[int], None]) -> list[list[Pair]]:
        """At most `count` pairs for each chunk, in the order of the chunks.

        Args:
            check: Called repeatedly with the number of chunks that are done; if it raises, the work is cancelled.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: the language model does not answer, or takes no more requests.
            SetupError: there is no language model.
        """
        done: list[Chunk] = []
        return run_in_loop(self._loop, self._generate_all(chunks, count, done), lambda: check(len(done)))

    async def _generate_all(self, chunks: Sequence[Chunk], count: int, done: list[Chunk]) -> list[list[Pair]]:
        if (model := self._model) is None:
            raise SetupError("no questions can be generated: no language model is available")

        async def generate(chunk: Chunk) -> list[Pair]:
            async with self._slots:
                tokens = model.context_tokens if isinstance(model.context_tokens, int) else model.context_tokens()
                generated = await pairs(
                    model.generator,
                    model.tokenizer,
                    chunk.text,
                    chunk.heading,
                    count=count,
                    context_tokens=tokens,
                    timeout_s=_TIMEOUT_S,
                )
            done.append(chunk)
            return generated

        tasks = [asyncio.ensure_future(generate(chunk)) for chunk in chunks]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class QuestionSteps:
    """Implements the steps of `rag.ingest.flow.IngestSteps` that generate questions. All can be repeated."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        chunks: VersionChunks,
        running: RunningJobs,
        generator: QuestionGenerator,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._chunks = chunks
        self._running = running
        self._generator = generator

    def passages_to_ask(self, version: VersionRow) -> int:
        """The number of passages for which questions must be generated. 0 if none are wanted, or all exist."""
        if not _questions_per_passage(version) or self._chunks.passages(version).has_questions:
            return 0
        return version.chunks

    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]:
        """Question-answer pairs for `PASSAGES_PER_STEP` passages from number `first` on."""
        version = self._version(seq)
        if version.state != "pending" or self._chunks.passages(version).has_questions:
            return []
        chunks = self._chunks.chunks(version, first, first + PASSAGES_PER_STEP)
        last_done = -1

        def check(done: int) -> None:
            nonlocal last_done
            self._running.check(job_id)
            if done > last_done:
                last_done = done
                passage = first + min(done + 1, len(chunks))
                step = JobStep.of(
                    "generating_questions", name=version.filename, passage=passage, passages=version.chunks
                )
                self._running.report_progress(job_id, step)

        check(0)
        generated = self._generator.generate(chunks, _questions_per_passage(version), check)
        return [[[pair.question, pair.answer] for pair in of_chunk] for of_chunk in generated]

    def keep(self, job_id: str, seq: int, generated: Sequence[Sequence[Sequence[str]]]) -> int | None:
        """Store the pairs with the version's extract.

        Returns:
            The number of chunks, which now includes the pairs; None if the version is no longer pending.
        """
        version = self._version(seq)
        if version.state != "pending":
            return None
        known = self._chunks.passages(version)
        if known.has_questions:
            return version.chunks
        all_pairs = [
            PassagePairs(passage.start, passage.end, tuple(Pair(question, answer) for question, answer in of_passage))
            for passage, of_passage in zip(known.passages, generated, strict=True)
        ]
        with_pairs = tuple(of_passage for of_passage in all_pairs if of_passage.pairs)
        content = extract_json.to_json(replace(self._chunks.extract(version), pairs=with_pairs))
        extract_id = self._blobs.write(content)
        pair_count = sum(len(of_passage.pairs) for of_passage in with_pairs)
        chunk_count = len(all_pairs) + pair_count
        with self._database.write() as connection:
            files.add_blob(connection, extract_id, "extract", len(content))
            versions.record_questions(connection, seq, extract_id, chunk_count)
            details = jobs.get(connection, job_id).details.copy()
            details["question_pairs"] = details.get("question_pairs", 0) + pair_count
            without = details.get("passages_without_questions", 0) + len(all_pairs) - len(with_pairs)
            details["passages_without_questions"] = without
            jobs.set_details(connection, job_id, details)
        questions = pair_passages(known.passages, with_pairs)
        self._chunks.add(seq, extract_id, VersionPassages([*known.passages, *questions], has_questions=True))
        return chunk_count

    def _version(self, seq: int) -> VersionRow:
        with self._database.read() as connection:
            return versions.get(connection, seq)


def _questions_per_passage(version: VersionRow) -> int:
    return int(version.chunking.get("questions") or 0)
