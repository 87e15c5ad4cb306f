"""Questions are generated once for each passage, stored, and used to find the passage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.chunkers.strategy import ParentChildStrategy, RecursiveStrategy, from_json, parse, to_json, to_wire
from rag.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    InternalError,
    InvalidRequest,
    Overloaded,
    Starting,
)
from rag.http.fields import chunking_wire
from rag.http.fields.chunking_wire import RecursiveChunking
from rag.ingest.question_generation import PASSAGES_PER_STEP, LanguageModel
from rag.ingest.question_prompts import pair_passages, pairs
from rag.readers.extract import extract_json
from rag.types import Extract, Pair, Passage, PassagePairs, RenderedChat
from tests.fakes import DurableFakeJobEngine, FakeGenerator, FakeTokenizer, FakeVectorStore, JobMemory
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually, make_harness

PASSAGE = "A drone lives for eight weeks. Frost kills it."


class QuestionWriter:
    """A language model that asks one question of each passage, about its last word."""

    def __init__(self) -> None:
        self.tokenizer = FakeTokenizer()
        self.engine = FakeGenerator(self.write)
        self.failure: Exception | None = None
        self.asked: list[str] = []

    @property
    def model(self) -> LanguageModel:
        return LanguageModel(self.engine, self.tokenizer, 4_000)

    def write(self, prompt: str | Sequence[int], sampling: Any) -> str:
        assert not isinstance(prompt, str)
        passage = self.tokenizer.decode(prompt).rpartition("<user> ")[2].removesuffix(" <assistant>")
        if self.failure is not None:
            raise self.failure
        self.asked.append(passage)
        if passage.startswith("mute"):
            return "I had rather not."
        topic = passage.split()[-1]
        return json.dumps({"pairs": [{"question": f"Tell me, whatabout {topic}?", "answer": topic}]})


def text_of(passages: int, topic: str = "topic") -> str:
    """A text that `CHUNKING` splits into this many passages, ending with `topic0`, `topic1`, ..."""
    return "\n\n".join(f"{'filler ' * 14}{topic}{n}" for n in range(passages))


CHUNKING = {"type": "recursive", "recursive": {"max_chars": 128, "overlap_chars": 0}}


@contextmanager
def question_harness(folder: Path, question_writer: QuestionWriter, **options: Any) -> Iterator[LibraryHarness]:
    with make_harness(folder, language_model=question_writer.model, **options) as harness:
        yield harness


async def generate_pairs(answer: Any, text: str = PASSAGE, count: int = 3, **options: Any) -> list[Pair]:
    engine = FakeGenerator(answer if isinstance(answer, str) else json.dumps({"pairs": answer}), **options)
    return await pairs(engine, FakeTokenizer(), text, "Bees", count=count, context_tokens=2_000, timeout_s=0.2)


def pair(question: Any = "How long does a drone live?", answer: Any = "Eight weeks") -> dict[str, Any]:
    return {"question": question, "answer": answer}


# --- output of the model ----------------------------------------------------------------------------


async def test_pairs_are_parsed_and_cleaned() -> None:
    pairs_of_passages = await generate_pairs([pair(), pair(" What\x00kills \n a drone? ", "Frost")])
    assert pairs_of_passages == [
        Pair("How long does a drone live?", "Eight weeks"),
        Pair("What kills a drone?", "Frost"),
    ]


@pytest.mark.parametrize(
    "invalid",
    [
        pair(question=""),
        pair(question="???"),
        pair(question="A drone lives."),
        pair(question=7),
        pair(answer=""),
        pair(answer=None),
        pair(answer="Seven years in Tibet"),
        pair(answer=PASSAGE + " Frost kills it."),
        pair(answer="frost frost frost frost frost frost frost"),
        pair(question="how long does a DRONE live?"),
        {"question": "How long?"},
        "How long?",
        None,
    ],
)
async def test_an_invalid_pair_is_skipped(invalid: Any) -> None:
    assert await generate_pairs([pair(), invalid]) == [Pair("How long does a drone live?", "Eight weeks")]


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"pairs": 3}', '{"pairs": {"question": "x?"}}'])
async def test_unparsable_output_gives_no_pairs(text: str) -> None:
    assert await generate_pairs(text) == []


async def test_the_number_of_pairs_is_limited() -> None:
    answer = [pair(), pair("What kills a drone?", "Frost"), pair("Is it so?", "it")]
    assert len(await generate_pairs(answer, count=2)) == 2


async def test_complete_pairs_of_a_truncated_output_are_used() -> None:
    answer = json.dumps({"pairs": [pair(), pair("What kills a drone?", "Frost")]})
    assert await generate_pairs(answer, stalls_after=14) == [Pair("How long does a drone live?", "Eight weeks")]


async def test_questions_in_other_scripts_are_accepted() -> None:
    answer = [pair("雄蜂能活多久？", "八周"), pair("كم يعيش؟", "八周")]
    assert len(await generate_pairs(answer, "雄蜂能活八周。霜冻会杀死它。")) == 2


@pytest.mark.parametrize(
    "error", [DependencyUnavailable("down"), Starting("soon"), DeadlineExceeded("slow"), Overloaded("busy")]
)
async def test_an_unavailable_engine_is_raised_to_the_caller(error: Exception) -> None:
    def fail(*_: Any) -> str:
        raise error

    with pytest.raises(type(error)):
        await pairs(FakeGenerator(fail), FakeTokenizer(), PASSAGE, "", count=1, context_tokens=2_000)
    with pytest.raises(DeadlineExceeded):
        await generate_pairs([pair()], stalls_after=0)


@pytest.mark.parametrize("error", [InvalidRequest("no"), ContextLengthExceeded("no"), InternalError("no")])
async def test_a_refused_passage_gets_no_questions(error: Exception) -> None:
    def fail(*_: Any) -> str:
        raise error

    assert await pairs(FakeGenerator(fail), FakeTokenizer(), PASSAGE, "", count=1, context_tokens=2_000) == []


@pytest.mark.parametrize("context_tokens", [1, 250, 400, 2_000])
async def test_a_long_passage_is_truncated_to_the_context(context_tokens: int) -> None:
    engine = FakeGenerator(json.dumps({"pairs": [pair()]}))
    await pairs(engine, FakeTokenizer(), "word " * 3_000, "", count=1, context_tokens=context_tokens)
    for prompt, sampling, _ in engine.requests:
        assert isinstance(prompt, RenderedChat)
        assert len(prompt.token_ids) + sampling["max_tokens"] <= context_tokens
    assert bool(engine.requests) == (context_tokens >= 400)


# --- passages -----------------------------------------------------------------------------------------


def test_a_pair_becomes_a_passage_that_refers_to_its_source() -> None:
    first = Passage("One.", 0, 4, "Head", 1)
    second = Passage("Two.", 10, 14, "Head", 2, context="Before. Two. After.")
    pairs_of_passages = [
        PassagePairs(10, 14, (Pair("Second?", "Two"),)),
        PassagePairs(0, 4, (Pair("First?", "One"), Pair("And?", "One"))),
        PassagePairs(99, 100, (Pair("Gone?", "Gone"),)),
    ]
    assert pair_passages([first, second], pairs_of_passages) == [
        Passage("First?\nOne", 0, 4, "Head", 1, "One."),
        Passage("And?\nOne", 0, 4, "Head", 1, "One."),
        Passage("Second?\nTwo", 2, 21, "Head", 2, "Before. Two. After."),
    ]


def test_extracts_keep_their_pairs() -> None:
    plain = Extract("text", "text/plain")
    with_pairs = replace(plain, pairs=(PassagePairs(0, 4, (Pair("a?", "b"),)),))
    for extract in (plain, replace(plain, pairs=()), with_pairs):
        assert extract_json.from_json(extract_json.to_json(extract)) == extract
    assert b"pairs" not in extract_json.to_json(plain)


# --- the setting --------------------------------------------------------------------------------------


def test_questions_is_a_field_beside_the_type() -> None:
    default = RecursiveStrategy(100, 0, questions=3)
    assert parse({"type": "structure"}, default).questions == 3
    assert parse({"type": "structure", "questions": None}, default).questions == 3
    assert parse({"type": "structure", "questions": 0}, default).questions == 0
    assert parse({"type": "structure", "questions": 8}, default).questions == 8
    for strategy in (RecursiveStrategy(100, 0), default, ParentChildStrategy(questions=0)):
        assert from_json(to_json(strategy)) == strategy
    assert to_json(RecursiveStrategy(100, 0)) == {
        "type": "recursive",
        "recursive": {"max_chars": 100, "overlap_chars": 0},
    }
    assert to_wire(default)["questions"] == 3


@pytest.mark.parametrize("value", [-1, 9, 1.0, "2", True, [1]])
def test_an_invalid_number_of_questions_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse({"type": "static", "questions": value}, RecursiveStrategy())
    assert refusal.value.param == "chunking_strategy.questions"


def test_unset_questions_are_left_to_the_vector_store() -> None:
    assert "questions" not in (chunking_wire.from_wire(RecursiveChunking(type="recursive")) or {})
    assert (chunking_wire.from_wire(RecursiveChunking(type="recursive", questions=0)) or {})["questions"] == 0


# --- ingestion --------------------------------------------------------------------------------------


def test_a_passage_is_found_by_its_question_and_returned_unchanged(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    with question_harness(tmp_path, question_writer) as harness:
        job = harness.ingest(("a.md", text_of(3)), chunking={**CHUNKING, "questions": 1})
        assert (job.state, job.chunks_total, job.chunks_done) == ("completed", 6, 6)
        assert dict(job.details) == {"question_pairs": 3, "passages_without_questions": 0}
        assert (harness.chunker.calls, harness.blobs.reads) == (1, 1), "the extract is read once, to add the questions"
        (hit, *_), source = harness.search("whatabout topic1").hits, f"{'filler ' * 14}topic1"
        assert hit.chunk.text == source
        assert text_of(3)[hit.chunk.start : hit.chunk.end] == source
        texts = harness.texts("whatabout topic1 filler")
        assert sorted(texts) == sorted(text_of(3).split("\n\n"))
        harness.clean()
        assert harness.library.extract(STORE, harness.file_id("a.md")).text == text_of(3)
    assert len(question_writer.asked) == 3


def test_zero_questions_call_no_model_and_change_nothing(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    with (
        question_harness(tmp_path / "with", question_writer) as harness,
        make_harness(tmp_path / "without") as plain_harness,
    ):
        for current in (harness, plain_harness):
            job = current.ingest(("a.md", text_of(3)), chunking={**CHUNKING, "questions": 0})
            assert (job.state, dict(job.details)) == ("completed", {})
        assert harness.chunks() == plain_harness.chunks()
        assert harness.ingest(("a.md", text_of(3)), chunking=CHUNKING).file_counts.completed == 1
        assert len(harness.chunks()) == 3
    assert question_writer.engine.requests == []


def test_a_different_number_of_questions_reindexes_the_file(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    with question_harness(tmp_path, question_writer, questions=1) as harness:
        harness.ingest(("a.md", text_of(2)), chunking=CHUNKING)
        harness.ingest(("a.md", text_of(2)), chunking={**CHUNKING, "questions": 1})
        assert len(question_writer.asked) == 2
        harness.ingest(("a.md", text_of(2)), chunking={**CHUNKING, "questions": 2})
        assert len(question_writer.asked) == 4
        harness.ingest(("a.md", text_of(2)), chunking={**CHUNKING, "questions": 0})
        harness.clean()
        assert len(question_writer.asked) == 4
        assert len(harness.chunks()) == 2


def test_reindex_and_copies_keep_the_questions(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    with question_harness(tmp_path, question_writer, questions=1) as harness:
        harness.ingest(("a.md", text_of(3)), chunking=CHUNKING)
        before = sorted(chunk.text for chunk in harness.chunks())
        assert harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 10).state == "completed"
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        assert harness.texts("whatabout topic2")[0].endswith("topic2")
        harness.library.set_attributes(STORE, harness.file_id("a.md"), {"kind": "b"})
        harness.clean()
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        harness.ingest(("a.md", text_of(3)), chunking=CHUNKING, attributes={"kind": "c"})
        harness.clean()
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        assert {chunk.attributes["kind"] for chunk in harness.chunks()} == {"c"}
    assert len(question_writer.asked) == 3


def test_passages_with_unparsable_questions_are_counted(tmp_path: Path) -> None:
    with question_harness(tmp_path, QuestionWriter(), questions=1) as harness:
        job = harness.ingest(("a.md", "bees fly"), ("b.md", "mute bees"), ("c.md", "bees sing"))
        assert dict(job.details) == {"question_pairs": 2, "passages_without_questions": 1}
        assert job.file_counts.completed == 3
        assert "mute bees" in harness.texts("mute")


def test_the_job_waits_while_the_language_model_is_unavailable(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    question_writer.failure = DependencyUnavailable("the language model does not answer")
    with question_harness(tmp_path, question_writer, questions=1) as harness:
        job = harness.ingest(("a.md", text_of(2)), chunking=CHUNKING, wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for == "the language model does not answer")
        assert harness.rows() == []
        question_writer.failure = None
        assert harness.library.wait(job.job_id, 10).state == "completed"
        assert len(harness.rows()) == 4


def test_a_waiting_job_can_be_cancelled_and_retried(tmp_path: Path) -> None:
    question_writer = QuestionWriter()
    question_writer.failure = DependencyUnavailable("away")
    with question_harness(tmp_path, question_writer, questions=1) as harness:
        job = harness.ingest(("a.md", text_of(2)), chunking=CHUNKING, wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for == "away")
        harness.library.cancel_job(job.job_id)
        eventually(lambda: not harness.runtime.running.active)
        question_writer.failure = None
        retried = harness.library.retry_job(job.job_id)
        assert harness.library.wait(retried.job_id, 10).state == "completed"
        assert len(harness.rows()) == 4


def test_without_a_language_model_the_file_fails_with_the_reason(tmp_path: Path) -> None:
    with make_harness(tmp_path) as harness:
        job = harness.ingest(("a.md", "bees"), ("b.md", "ants"), chunking={**CHUNKING, "questions": 1})
        assert job.file_counts.failed == 2
        (file, _) = harness.library.documents(STORE, ALL).rows
        assert "language model" in str(file.error_message)
        assert harness.ingest(("c.md", "wasps")).file_counts.completed == 1


PASSAGES = 2 * PASSAGES_PER_STEP + 3


@pytest.mark.parametrize("step", ["read", "ask", "ask v1 8", "keep questions", "write", "publish", "finish"])
def test_a_crash_at_any_step_loses_no_question(tmp_path: Path, step: str) -> None:
    question_writer, store, memory = QuestionWriter(), FakeVectorStore(), JobMemory()
    memory.dies_after = step
    with question_harness(
        tmp_path, question_writer, engine=DurableFakeJobEngine(memory), store=store, questions=1
    ) as harness:
        job = harness.ingest(("a.md", text_of(PASSAGES)), chunking=CHUNKING, wait=False)
        eventually(lambda: memory.steps[job.job_id] and not harness.runtime.running.active)
    memory.dies_after = None
    store.closed = False
    with question_harness(
        tmp_path, question_writer, engine=DurableFakeJobEngine(memory), store=store, questions=1
    ) as harness:
        done = harness.library.wait(job.job_id, 10)
        assert (done.state, done.chunks_done) == ("completed", 2 * PASSAGES)
        assert dict(done.details) == {"question_pairs": PASSAGES, "passages_without_questions": 0}
        expected = [*text_of(PASSAGES).split("\n\n")]
        texts = [chunk.text for chunk in sorted(harness.chunks(), key=lambda chunk: chunk.chunk_id)]
        assert texts[:PASSAGES] == expected
        assert [text.split("?")[0].split()[-1] for text in texts[PASSAGES:]] == [f"topic{n}" for n in range(PASSAGES)]
    repeated_passages = PASSAGES_PER_STEP if step.startswith("ask") else 0
    assert len(question_writer.asked) == PASSAGES + repeated_passages
    names = memory.names(job.job_id)
    assert names[:6] == ["plan", "read v1", "ask v1 0", "ask v1 8", "ask v1 16", "keep questions v1"]
