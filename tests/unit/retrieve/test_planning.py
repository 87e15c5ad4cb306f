"""Plans use everything that the language model wrote in time, and never make a question fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    InternalError,
    InvalidRequest,
    RagError,
    Starting,
)
from rag.retrieve.planning.plan import Plan
from rag.retrieve.planning.planner import LanguageModelPlanner
from rag.retrieve.planning.prompts import EXAMPLE_QUERIES, MAX_QUERY_CHARS
from rag.types import Message, RenderedChat
from tests.fakes import FakeGenerator, FakeTokenizer

HISTORY = [Message("user", "What is Milvus?"), Message("assistant", "Milvus is a vector database.")]
FOLLOW_UP = "How do I install it?"
REWRITTEN = "How do I install Milvus?"
Answers = Mapping[str, Any]


def written(fields: Answers) -> Callable[[str | Sequence[int], Mapping[str, Any]], str]:
    """Answers each structured prompt from `fields`; an exception as a value is raised."""

    def write(prompt: str | Sequence[int], sampling: Mapping[str, Any]) -> str:
        (name,) = sampling["structured_outputs"]["json"]["properties"]
        value = fields[name]
        if isinstance(value, Exception):
            raise value
        return json.dumps({name: value})

    return write


class PlannerHarness:
    """A planner with a fake engine that writes `answers`."""

    def __init__(
        self, answers: Answers | None = None, *, context_tokens: Any = 4_000, timeout_s: float = 5.0, **engine: Any
    ) -> None:
        self.tokenizer = FakeTokenizer()
        self.engine = FakeGenerator(written(answers or {}), **engine)
        self.planner = LanguageModelPlanner(
            self.engine, self.tokenizer, context_tokens=context_tokens, timeout_s=timeout_s
        )

    async def plan(
        self,
        question: str = FOLLOW_UP,
        history: Sequence[Message] = (),
        *,
        rewrite: bool = False,
        queries: int = 0,
        hypothetical: bool = False,
    ) -> Plan:
        return await self.planner.plan(question, history, rewrite=rewrite, queries=queries, hypothetical=hypothetical)

    def prompts(self) -> list[str]:
        return [self.tokenizer.decode(prompt) for prompt, _, _ in self.engine.requests if not isinstance(prompt, str)]


# --- rewriting ---------------------------------------------------------------------------------------


async def test_a_follow_up_is_rewritten_to_stand_alone() -> None:
    harness = PlannerHarness({"question": REWRITTEN})
    plan = await harness.plan(history=HISTORY, rewrite=True)
    assert plan == Plan((REWRITTEN,), (), REWRITTEN, "")
    (prompt,) = harness.prompts()
    assert "vector database" in prompt
    assert prompt.endswith(f"Last question: {FOLLOW_UP} <assistant>")


async def test_without_history_or_options_the_engine_is_not_used() -> None:
    harness = PlannerHarness()
    assert await harness.plan(rewrite=True) == Plan((FOLLOW_UP,))
    assert await harness.plan(history=HISTORY) == Plan((FOLLOW_UP,))
    assert await harness.plan(history=[Message("system", "Be kind."), Message("user", " ")], rewrite=True) == Plan(
        (FOLLOW_UP,)
    )
    assert harness.engine.requests == []


async def test_a_question_that_stays_as_it_is_counts_as_not_rewritten() -> None:
    plan = await PlannerHarness({"question": "how do I install it"}).plan(history=HISTORY, rewrite=True)
    assert plan == Plan((FOLLOW_UP,))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "???",
        "What is Milvus?",
        "Can you win the crown against seven clever ostriches?",
        "it it it it it it it it it",
        "How do I install Milvus? " * 40,
        17,
        ["How do I install Milvus?"],
    ],
    ids=["empty", "blank", "no word", "an earlier question", "invented", "babble", "too long", "number", "list"],
)
async def test_an_unusable_rewriting_falls_back_to_the_question(answer: Any) -> None:
    plan = await PlannerHarness({"question": answer}).plan(history=HISTORY, rewrite=True)
    assert plan == Plan((FOLLOW_UP,), note="rewriting: could not be read")


async def test_a_rewriting_is_cleaned() -> None:
    plan = await PlannerHarness({"question": " How do I\n\tinstall\x00\u202e Milvus?\x1b "}).plan(
        history=HISTORY, rewrite=True
    )
    assert plan.queries == (REWRITTEN,)


async def test_a_truncated_rewriting_is_not_used() -> None:
    harness = PlannerHarness({"question": REWRITTEN}, timeout_s=0.1, stalls_after=5)
    assert await harness.plan(history=HISTORY, rewrite=True) == Plan((FOLLOW_UP,), note="rewriting: timeout")


async def test_questions_without_spaces_between_words_are_rewritten_too() -> None:
    history = [Message("user", "什么是Milvus?"), Message("assistant", "Milvus是一个向量数据库。")]
    plan = await PlannerHarness({"question": "Milvus多少钱?"}).plan("它多少钱?", history, rewrite=True)
    assert plan.rewritten == "Milvus多少钱?"


async def test_the_newest_turns_of_a_long_history_are_used() -> None:
    roles: tuple[Any, ...] = ("user", "assistant")
    history = [Message(roles[n % 2], f"turn{n} " + "word " * 20_000) for n in range(200)]
    harness = PlannerHarness({"question": REWRITTEN}, context_tokens=700)
    plan = await harness.plan(history=[*history, *HISTORY], rewrite=True)
    assert plan.rewritten == REWRITTEN
    (prompt,) = harness.prompts()
    assert "vector database" in prompt
    assert "turn199" in prompt
    assert "turn0 " not in prompt


@settings(max_examples=40, deadline=None)
@given(context=st.integers(1, 1_500), turns=st.lists(st.integers(1, 400), max_size=12), words=st.integers(1, 300))
def test_prompts_always_fit_the_context(context: int, turns: list[int], words: int) -> None:
    roles: tuple[Any, ...] = ("user", "assistant")
    history = [Message(roles[n % 2], "word " * length) for n, length in enumerate(turns)]
    harness = PlannerHarness({"question": "x", "queries": ["y"], "passage": "why not"}, context_tokens=context)
    asyncio.run(harness.plan("why " * words, history, rewrite=True, queries=2, hypothetical=True))
    for prompt, sampling, _ in harness.engine.requests:
        assert isinstance(prompt, RenderedChat)
        assert len(prompt.token_ids) + sampling["max_tokens"] <= context


async def test_parts_that_do_not_fit_the_context_are_left_out() -> None:
    harness = PlannerHarness(context_tokens=100)
    plan = await harness.plan(history=HISTORY, rewrite=True, queries=2, hypothetical=True)
    no_room = "no room in the language model's context"
    assert plan == Plan(
        (FOLLOW_UP,), note=f"rewriting: {no_room}; several queries: {no_room}; invented answer: {no_room}"
    )
    assert harness.engine.requests == []


# --- several queries -----------------------------------------------------------------------------------


async def test_further_queries_are_added_to_the_question() -> None:
    harness = PlannerHarness({"queries": ["Milvus setup", "  deploy\nMilvus "]})
    assert await harness.plan(REWRITTEN, queries=2) == Plan((REWRITTEN, "Milvus setup", "deploy Milvus"))
    _, sampling, _ = harness.engine.requests[0]
    assert sampling["temperature"] == 0
    assert sampling["structured_outputs"]["json"]["properties"]["queries"]["maxItems"] == 2


async def test_queries_are_distinct_bounded_and_no_more_than_asked_for() -> None:
    answer = [
        "how do i install Milvus",
        "Milvus setup",
        "milvus, setup!",
        "",
        "...",
        3,
        " ".join(f"word{n}" for n in range(100)),
        sorted(EXAMPLE_QUERIES)[0],
        "the the the the the the the the",
        "deploy Milvus",
        "one too many",
    ]
    first, second, third, fourth = (await PlannerHarness({"queries": answer}).plan(REWRITTEN, queries=3)).queries
    assert (first, second, fourth) == (REWRITTEN, "Milvus setup", "deploy Milvus")
    assert third.startswith("word0 word1 ")
    assert len(third) <= MAX_QUERY_CHARS


@pytest.mark.parametrize("answer", [[], "text", None, [REWRITTEN], [{"query": "x"}], [["x"]]])
async def test_unusable_queries_are_reported_as_unreadable(answer: Any) -> None:
    plan = await PlannerHarness({"queries": answer}).plan(REWRITTEN, queries=2)
    assert plan == Plan((REWRITTEN,), note="several queries: could not be read")


async def test_queries_that_were_written_in_time_are_used() -> None:
    harness = PlannerHarness(
        {"queries": ["Milvus setup", "deploy Milvus", "Milvus on Kubernetes"]}, timeout_s=2.0, stalls_after=5
    )
    plan = await harness.plan(REWRITTEN, queries=3)
    assert plan == Plan((REWRITTEN, "Milvus setup", "deploy Milvus"), note="several queries: timeout")
    assert harness.engine.running == 0


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text('{}[]",:\\\x00queries x')))
def test_the_plan_is_valid_whatever_the_model_writes(text: str) -> None:
    harness = PlannerHarness()
    harness.engine.text = text
    plan = asyncio.run(harness.plan(history=HISTORY, rewrite=True, queries=3, hypothetical=True))
    for each in (*plan.queries, *plan.hypothetical):
        assert each == " ".join(each.split())
        assert each.isprintable()
        assert each
    assert plan.queries[0] == (plan.rewritten or FOLLOW_UP)


# --- invented answers ----------------------------------------------------------------------------------


async def test_a_hypothetical_answer_is_not_a_query() -> None:
    passage = "To install Milvus, download the compose file and start it."
    harness = PlannerHarness({"passage": passage})
    assert await harness.plan(REWRITTEN, hypothetical=True) == Plan((REWRITTEN,), (passage,))


@pytest.mark.parametrize("answer", ["", "I'm ready to assist you.", "Milvus is " * 30, 5])
async def test_an_unrelated_hypothetical_answer_is_dropped(answer: Any) -> None:
    plan = await PlannerHarness({"passage": answer}).plan(REWRITTEN, hypothetical=True)
    assert plan == Plan((REWRITTEN,), note="invented answer: could not be read")


async def test_a_truncated_hypothetical_answer_is_used() -> None:
    for words, used in ((7, ("To install Milvus, download the compose",)), (5, ())):
        harness = PlannerHarness(
            {"passage": "To install Milvus, download the compose file."}, timeout_s=2.0, stalls_after=words
        )
        plan = await harness.plan(REWRITTEN, hypothetical=True)
        assert plan == Plan((REWRITTEN,), used, note="invented answer: timeout")


# --- all together --------------------------------------------------------------------------------------


async def test_queries_and_answer_are_written_concurrently_from_the_rewritten_question() -> None:
    gate = asyncio.Event()
    harness = PlannerHarness(
        {"question": REWRITTEN, "queries": ["Milvus setup"], "passage": "Milvus is installed by Docker."}
    )
    await harness.plan(history=HISTORY, rewrite=True)
    harness.engine.start = gate
    task = asyncio.create_task(harness.plan(REWRITTEN, queries=1, hypothetical=True))
    while harness.engine.running < 2:
        await asyncio.sleep(0)
    gate.set()
    assert await task == Plan((REWRITTEN, "Milvus setup"), ("Milvus is installed by Docker.",))

    harness.engine.requests.clear()
    plan = await harness.plan(history=HISTORY, rewrite=True, queries=1, hypothetical=True)
    assert plan == Plan((REWRITTEN, "Milvus setup"), ("Milvus is installed by Docker.",), REWRITTEN)
    assert all(prompt.endswith(f"{REWRITTEN} <assistant>") for prompt in harness.prompts()[1:])


async def test_one_timeout_covers_all_parts_and_stops_the_engine() -> None:
    harness = PlannerHarness(
        {"question": REWRITTEN, "queries": [], "passage": ""}, timeout_s=0.2, start=asyncio.Event()
    )
    plan = await harness.plan(history=HISTORY, rewrite=True, queries=3, hypothetical=True)
    assert plan == Plan((FOLLOW_UP,), note="rewriting: timeout; several queries: timeout; invented answer: timeout")
    assert (harness.engine.running, harness.engine.cancelled) == (0, len(harness.engine.requests))


async def test_parts_that_are_ready_in_time_are_used() -> None:
    harness = PlannerHarness(
        {"queries": ["Milvus setup"], "passage": "Milvus is " + "installed by Docker " * 20}, stalls_after=6
    )
    harness.planner = LanguageModelPlanner(harness.engine, harness.tokenizer, context_tokens=4_000, timeout_s=0.2)
    plan = await harness.plan(REWRITTEN, queries=1, hypothetical=True)
    assert plan.queries == (REWRITTEN, "Milvus setup")
    assert plan.hypothetical == ("Milvus is installed by Docker",)
    assert plan.note == "invented answer: timeout"


async def test_cancelling_the_caller_stops_the_engine() -> None:
    harness = PlannerHarness({"queries": ["x"], "passage": "x"}, start=asyncio.Event())
    task = asyncio.create_task(harness.plan(REWRITTEN, queries=1, hypothetical=True))
    while harness.engine.running < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (harness.engine.running, harness.engine.cancelled) == (0, 2)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DependencyUnavailable("down"), "the language model does not answer"),
        (Starting("soon"), "the language model does not answer"),
        (DeadlineExceeded("slow"), "timeout"),
        (InvalidRequest("structured_outputs: not here"), "the language model refuses it"),
        (ContextLengthExceeded("too long"), "the language model refuses it"),
        (InternalError("a defect"), "the language model refuses it"),
    ],
)
async def test_errors_of_the_engine_never_fail_the_question(error: RagError, reason: str) -> None:
    harness = PlannerHarness({"question": error, "queries": ["Milvus setup"], "passage": error})
    plan = await harness.plan(history=HISTORY, rewrite=True, queries=1, hypothetical=True)
    assert plan == Plan((FOLLOW_UP, "Milvus setup"), note=f"rewriting: {reason}; invented answer: {reason}")


async def test_an_engine_that_dies_while_writing_never_fails_the_question() -> None:
    plan = await PlannerHarness({"queries": ["a b c", "d e f"]}, dies_after=2).plan(queries=2)
    assert plan == Plan((FOLLOW_UP,), note="several queries: the language model does not answer")


async def test_an_engine_that_is_still_starting_never_fails_the_question() -> None:
    def context_tokens() -> int:
        raise Starting("loading")

    plan = await PlannerHarness(context_tokens=context_tokens).plan(queries=2)
    assert plan == Plan((FOLLOW_UP,), note="several queries: the language model does not answer")


async def test_a_very_long_question_is_searched_for_as_it_is() -> None:
    harness = PlannerHarness()
    question = "why " * 5_000
    plan = await harness.plan(question, HISTORY, rewrite=True, queries=2, hypothetical=True)
    assert plan == Plan((question,), note="the question is too long to be planned")
    assert harness.engine.requests == []


def test_the_name_of_the_planner_contains_the_model() -> None:
    model = "a"
    planner = LanguageModelPlanner(FakeGenerator(), FakeTokenizer(), context_tokens=1, timeout_s=1, model=lambda: model)
    before = planner.name
    model = "b"
    assert planner.name != before
