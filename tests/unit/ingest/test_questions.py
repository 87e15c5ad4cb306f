"""Questions are made of passages once, are kept, and find the passages."""

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
    Starting,
)
from rag.http import chunking_wire
from rag.http.chunking_wire import RecursiveChunking
from rag.ingest.question_generation import PASSAGES_PER_STEP, LanguageModel
from rag.ingest.question_prompts import pair_passages, pairs
from rag.readers import extract_json
from rag.types import Extract, Pair, Passage, PassagePairs
from tests.fakes import DurableFakeJobEngine, FakeGenerator, FakeTokenizer, FakeVectorStore, JobMemory
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually, make_harness

PASSAGE = "A drone lives for eight weeks. Frost kills it."


class Author:
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
    """Cut by `CUT` into so many passages, which end with `topic0`, `topic1`, ..."""
    return "\n\n".join(f"{'filler ' * 14}{topic}{n}" for n in range(passages))


CUT = {"type": "recursive", "recursive": {"max_chars": 128, "overlap_chars": 0}}


@contextmanager
def question_harness(folder: Path, author: Author, **options: Any) -> Iterator[LibraryHarness]:
    with make_harness(folder, language_model=author.model, **options) as harness:
        yield harness


async def asked(answer: Any, text: str = PASSAGE, count: int = 3, **options: Any) -> list[Pair]:
    engine = FakeGenerator(answer if isinstance(answer, str) else json.dumps({"pairs": answer}), **options)
    return await pairs(engine, FakeTokenizer(), text, "Bees", count=count, context_tokens=2_000, timeout_s=0.2)


def pair(question: Any = "How long does a drone live?", answer: Any = "Eight weeks") -> dict[str, Any]:
    return {"question": question, "answer": answer}


# --- what the model writes ----------------------------------------------------------------------------


async def test_pairs_are_read_and_cleaned() -> None:
    found = await asked([pair(), pair(" What\x00kills \n a drone? ", "Frost")])
    assert found == [Pair("How long does a drone live?", "Eight weeks"), Pair("What kills a drone?", "Frost")]


@pytest.mark.parametrize(
    "bad",
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
async def test_what_is_no_pair_is_left_out(bad: Any) -> None:
    assert await asked([pair(), bad]) == [Pair("How long does a drone live?", "Eight weeks")]


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"pairs": 3}', '{"pairs": {"question": "x?"}}'])
async def test_what_cannot_be_read_gives_none(text: str) -> None:
    assert await asked(text) == []


async def test_no_more_than_were_asked_for() -> None:
    answer = [pair(), pair("What kills a drone?", "Frost"), pair("Is it so?", "it")]
    assert len(await asked(answer, count=2)) == 2


async def test_of_a_text_that_was_cut_the_whole_pairs_are_used() -> None:
    answer = json.dumps({"pairs": [pair(), pair("What kills a drone?", "Frost")]})
    assert await asked(answer, stalls_after=14) == [Pair("How long does a drone live?", "Eight weeks")]


async def test_questions_of_other_scripts() -> None:
    answer = [pair("雄蜂能活多久？", "八周"), pair("كم يعيش؟", "八周")]
    assert len(await asked(answer, "雄蜂能活八周。霜冻会杀死它。")) == 2


@pytest.mark.parametrize("error", [DependencyUnavailable("down"), Starting("soon"), DeadlineExceeded("slow")])
async def test_an_engine_that_does_not_answer_is_waited_for(error: Exception) -> None:
    def fail(*_: Any) -> str:
        raise error

    with pytest.raises(type(error)):
        await pairs(FakeGenerator(fail), FakeTokenizer(), PASSAGE, "", count=1, context_tokens=2_000)
    with pytest.raises(DeadlineExceeded):
        await asked([pair()], stalls_after=0)


@pytest.mark.parametrize("error", [InvalidRequest("no"), ContextLengthExceeded("no"), InternalError("no")])
async def test_a_refusal_costs_this_passage_its_questions(error: Exception) -> None:
    def fail(*_: Any) -> str:
        raise error

    assert await pairs(FakeGenerator(fail), FakeTokenizer(), PASSAGE, "", count=1, context_tokens=2_000) == []


@pytest.mark.parametrize("room", [1, 250, 400, 2_000])
async def test_a_long_passage_is_told_as_far_as_the_context_goes(room: int) -> None:
    engine = FakeGenerator(json.dumps({"pairs": [pair()]}))
    await pairs(engine, FakeTokenizer(), "word " * 3_000, "", count=1, context_tokens=room)
    for prompt, sampling, _ in engine.requests:
        assert len(prompt) + sampling["max_tokens"] <= room
    assert bool(engine.requests) == (room >= 400)


# --- passages -----------------------------------------------------------------------------------------


def test_a_pair_becomes_a_passage_that_stands_for_its_source() -> None:
    first = Passage("One.", 0, 4, "Head", 1)
    second = Passage("Two.", 10, 14, "Head", 2, context="Before. Two. After.")
    found = [
        PassagePairs(10, 14, (Pair("Second?", "Two"),)),
        PassagePairs(0, 4, (Pair("First?", "One"), Pair("And?", "One"))),
        PassagePairs(99, 100, (Pair("Gone?", "Gone"),)),
    ]
    assert pair_passages([first, second], found) == [
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


def test_questions_stand_beside_the_type() -> None:
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
def test_other_numbers_of_questions_are_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse({"type": "static", "questions": value}, RecursiveStrategy())
    assert refusal.value.param == "chunking_strategy.questions"


def test_a_request_that_says_nothing_of_them_leaves_it_to_the_vector_store() -> None:
    assert "questions" not in (chunking_wire.from_wire(RecursiveChunking(type="recursive")) or {})
    assert (chunking_wire.from_wire(RecursiveChunking(type="recursive", questions=0)) or {})["questions"] == 0


# --- the journey --------------------------------------------------------------------------------------


def test_a_passage_is_found_by_its_question_and_given_as_it_is(tmp_path: Path) -> None:
    author = Author()
    with question_harness(tmp_path, author) as harness:
        job = harness.ingest(("a.md", text_of(3)), chunking={**CUT, "questions": 1})
        assert (job.state, job.chunks_total, job.chunks_done) == ("completed", 6, 6)
        assert dict(job.details) == {"question_pairs": 3, "passages_without_questions": 0}
        assert (harness.chunker.calls, harness.blobs.reads) == (1, 1), "the extract is read once, to add the questions"
        (hit, *_), source = harness.search("whatabout topic1").hits, f"{'filler ' * 14}topic1"
        assert hit.chunk.text == source
        assert text_of(3)[hit.chunk.start : hit.chunk.end] == source
        texts = harness.texts("whatabout topic1 filler")
        assert sorted(texts) == sorted(text_of(3).split("\n\n"))
        harness.clean()
        assert harness.library.document_text(STORE, harness.file_id("a.md")) == text_of(3)
    assert len(author.asked) == 3


def test_off_costs_nothing_and_changes_nothing(tmp_path: Path) -> None:
    author = Author()
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    with question_harness(tmp_path / "with", author) as harness, make_harness(tmp_path / "without") as other:
        for each in (harness, other):
            job = each.ingest(("a.md", text_of(3)), chunking={**CUT, "questions": 0})
            assert (job.state, dict(job.details)) == ("completed", {})
        assert harness.chunks() == other.chunks()
        assert harness.ingest(("a.md", text_of(3)), chunking=CUT).file_counts.completed == 1
        assert len(harness.chunks()) == 3
    assert author.engine.requests == []


def test_another_number_of_questions_is_a_change(tmp_path: Path) -> None:
    author = Author()
    with question_harness(tmp_path, author, questions=1) as harness:
        harness.ingest(("a.md", text_of(2)), chunking=CUT)
        harness.ingest(("a.md", text_of(2)), chunking={**CUT, "questions": 1})
        assert len(author.asked) == 2
        harness.ingest(("a.md", text_of(2)), chunking={**CUT, "questions": 2})
        assert len(author.asked) == 4
        harness.ingest(("a.md", text_of(2)), chunking={**CUT, "questions": 0})
        harness.clean()
        assert len(author.asked) == 4
        assert len(harness.chunks()) == 2


def test_reindex_and_copies_keep_the_questions(tmp_path: Path) -> None:
    author = Author()
    with question_harness(tmp_path, author, questions=1) as harness:
        harness.ingest(("a.md", text_of(3)), chunking=CUT)
        before = sorted(chunk.text for chunk in harness.chunks())
        assert harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 10).state == "completed"
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        assert harness.texts("whatabout topic2")[0].endswith("topic2")
        harness.library.set_attributes(STORE, harness.file_id("a.md"), {"kind": "b"})
        harness.clean()
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        harness.ingest(("a.md", text_of(3)), chunking=CUT, attributes={"kind": "c"})
        harness.clean()
        assert sorted(chunk.text for chunk in harness.chunks()) == before
        assert {chunk.attributes["kind"] for chunk in harness.chunks()} == {"c"}
    assert len(author.asked) == 3


def test_passages_whose_questions_cannot_be_read_are_counted(tmp_path: Path) -> None:
    with question_harness(tmp_path, Author(), questions=1) as harness:
        job = harness.ingest(("a.md", "bees fly"), ("b.md", "mute bees"), ("c.md", "bees sing"))
        assert dict(job.details) == {"question_pairs": 2, "passages_without_questions": 1}
        assert job.file_counts.completed == 3
        assert "mute bees" in harness.texts("mute")


def test_the_job_waits_while_the_language_model_is_away(tmp_path: Path) -> None:
    author = Author()
    author.failure = DependencyUnavailable("the language model does not answer")
    with question_harness(tmp_path, author, questions=1) as harness:
        job = harness.ingest(("a.md", text_of(2)), chunking=CUT, wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for == "the language model does not answer")
        assert harness.rows() == []
        author.failure = None
        assert harness.library.wait(job.job_id, 10).state == "completed"
        assert len(harness.rows()) == 4


def test_a_job_that_waits_can_be_cancelled_and_tried_again(tmp_path: Path) -> None:
    author = Author()
    author.failure = DependencyUnavailable("away")
    with question_harness(tmp_path, author, questions=1) as harness:
        job = harness.ingest(("a.md", text_of(2)), chunking=CUT, wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for == "away")
        harness.library.cancel_job(job.job_id)
        eventually(lambda: not harness.runtime.running.active)
        author.failure = None
        again = harness.library.retry_job(job.job_id)
        assert harness.library.wait(again.job_id, 10).state == "completed"
        assert len(harness.rows()) == 4


def test_without_a_language_model_the_file_says_what_is_missing(tmp_path: Path) -> None:
    with make_harness(tmp_path) as harness:
        job = harness.ingest(("a.md", "bees"), ("b.md", "ants"), chunking={**CUT, "questions": 1})
        assert job.file_counts.failed == 2
        (file, _) = harness.library.documents(STORE, ALL).rows
        assert "language model" in str(file.error_message)
        assert harness.ingest(("c.md", "wasps")).file_counts.completed == 1


PASSAGES = 2 * PASSAGES_PER_STEP + 3


@pytest.mark.parametrize("step", ["read", "ask", "ask v1 8", "keep questions", "write", "publish", "finish"])
def test_a_crash_at_any_step_neither_asks_twice_nor_loses_a_question(tmp_path: Path, step: str) -> None:
    author, store, memory = Author(), FakeVectorStore(), JobMemory()
    memory.dies_after = step
    with question_harness(tmp_path, author, engine=DurableFakeJobEngine(memory), store=store, questions=1) as harness:
        job = harness.ingest(("a.md", text_of(PASSAGES)), chunking=CUT, wait=False)
        eventually(lambda: memory.steps[job.job_id] and not harness.runtime.running.active)
    memory.dies_after = None
    store.closed = False
    with question_harness(tmp_path, author, engine=DurableFakeJobEngine(memory), store=store, questions=1) as harness:
        done = harness.library.wait(job.job_id, 10)
        assert (done.state, done.chunks_done) == ("completed", 2 * PASSAGES)
        assert dict(done.details) == {"question_pairs": PASSAGES, "passages_without_questions": 0}
        expected = [*text_of(PASSAGES).split("\n\n")]
        made = [chunk.text for chunk in sorted(harness.chunks(), key=lambda chunk: chunk.chunk_id)]
        assert made[:PASSAGES] == expected
        assert [text.split("?")[0].split()[-1] for text in made[PASSAGES:]] == [f"topic{n}" for n in range(PASSAGES)]
    repeated = PASSAGES_PER_STEP if step.startswith("ask") else 0
    assert len(author.asked) == PASSAGES + repeated
    names = memory.names(job.job_id)
    assert names[:6] == ["plan", "read v1", "ask v1 0", "ask v1 8", "ask v1 16", "keep questions v1"]
