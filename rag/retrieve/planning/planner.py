"""Query planning with the language model: rewriting, further queries and hypothetical answers.

Planning never makes a question fail: a part that fails is left out, and the note of the plan names it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from rag.errors import DeadlineExceeded, RagError, Unavailable
from rag.llm.model_text import is_degenerate, plain, same_words, words
from rag.llm.structured import StructuredPrompt, complete, fit_to_context
from rag.ports import ChatTokenizer, Generator
from rag.retrieve.planning.plan import Plan
from rag.retrieve.planning.prompts import (
    EXAMPLE_QUERIES,
    MAX_QUERY_CHARS,
    PROMPT_VERSION,
    passage_form,
    queries_form,
    rewriting_form,
)
from rag.types import JsonObject, Message, ModelInput

_MAX_QUESTION_CHARS = 2_000
"""Longer questions are specific enough without a plan."""
_MAX_TURNS = 8
_MAX_PASSAGE_CHARS = 1_000
_MIN_PASSAGE_WORDS = 5
"""For a hypothetical answer, which may be truncated: fewer words are similar to nothing."""
_MIN_KNOWN_WORDS = 1 / 3
"""Share of the words of a rewritten question that must come from the conversation."""
_STEM_CHARS = 4
_TIMEOUT = "timeout"
_NO_ANSWER = "the language model does not answer"
_REFUSED = "the language model refuses it"
_UNREADABLE = "could not be read"
_NO_ROOM = "no room in the language model's context"
NOT_PLANNED = "the question is too long to be planned"
PARTS = {"rewriting": "rewriting", "queries": "several queries", "hypothetical": "invented answer"}
"""What the note calls the parts of a plan, by code."""
FAILURES = {
    "timeout": _TIMEOUT,
    "no_answer": _NO_ANSWER,
    "refused": _REFUSED,
    "unreadable": _UNREADABLE,
    "no_room": _NO_ROOM,
}
"""Why the note says that a part is missing, by code."""
_log = logging.getLogger("rag.planning")

Fit: TypeAlias = Callable[[int], "tuple[StructuredPrompt, ModelInput] | None"]
"""The structured prompt and its model input for a context of this many tokens; None if it does not fit."""


class _Completed(NamedTuple):
    """What the language model filled in, and why some of it is missing; empty if nothing is."""

    fields: JsonObject
    failure: str


class LanguageModelPlanner:
    """A `rag.retrieve.planning.plan.QueryPlanner`. Safe for concurrent use.

    Args:
        context_tokens: The context length of the engine, or a function that returns it and may raise RagError.
        timeout_s: Seconds for all parts of a plan together.
        model: Returns the name of the generator's model if it is known: each model has its own plans.
    """

    def __init__(
        self,
        generator: Generator,
        tokenizer: ChatTokenizer,
        *,
        context_tokens: Callable[[], int] | int,
        timeout_s: float,
        model: Callable[[], str] = str,
    ) -> None:
        self._generator = generator
        self._tokenizer = tokenizer
        self._context_tokens = context_tokens
        self._timeout_s = timeout_s
        self._model = model

    @property
    def name(self) -> str:
        return f"prompts {PROMPT_VERSION}, {self._model()}"

    async def plan(
        self, question: str, history: Sequence[Message] = (), *, rewrite: bool, queries: int, hypothetical: bool
    ) -> Plan:
        """The texts to search for. Parts that are not ready after `timeout_s` are left out.

        Args:
            history: Earlier turns, oldest first. Without any there is nothing to rewrite.
            queries: Number of further queries.
        """
        turns = [turn for turn in history if turn.role != "system" and turn.content.strip()][-_MAX_TURNS:]
        rewrite = rewrite and bool(turns)
        if not (rewrite or queries or hypothetical):
            return Plan((question,))
        if len(question) > _MAX_QUESTION_CHARS:
            return Plan((question,), note=NOT_PLANNED)
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        rewritten, rewriting_failure = await self._rewrite(question, turns, deadline) if rewrite else (None, "")
        main_query = rewritten or question
        async with asyncio.TaskGroup() as tasks:
            further_task = tasks.create_task(self._further_queries(main_query, queries, deadline))
            passage_task = tasks.create_task(self._hypothetical(main_query, deadline) if hypothetical else _nothing())
        further, queries_failure = further_task.result()
        passages, passage_failure = passage_task.result()
        failures = {
            PARTS["rewriting"]: rewriting_failure,
            PARTS["queries"]: queries_failure,
            PARTS["hypothetical"]: passage_failure,
        }
        note = "; ".join(f"{part}: {failure}" for part, failure in failures.items() if failure)
        return Plan((main_query, *further), passages, rewritten, note=note)

    async def _rewrite(self, question: str, turns: Sequence[Message], deadline: float) -> tuple[str | None, str]:
        """The rewritten question, or None if it stays as it is, and why it could not be rewritten."""

        def fit(context_tokens: int) -> tuple[StructuredPrompt, ModelInput] | None:
            question_tokens = self._tokenizer.count(question)
            for first in range(len(turns)):  # drop the oldest turns: a question refers to the newest ones
                form = rewriting_form(question, turns[first:], question_tokens)
                if prompt := self._fitted(form, context_tokens):
                    return prompt
            return None

        completed = await self._complete(fit, deadline)
        text = _text(completed.fields.get("question"), len(question) + 200)
        if same_words(text, question):
            return None, ""
        if _is_rewriting(text, question, turns):
            return text, ""
        return None, completed.failure or _UNREADABLE

    async def _further_queries(self, question: str, count: int, deadline: float) -> tuple[tuple[str, ...], str]:
        """The queries that were written in time, and why some or all are missing."""
        if not count:
            return (), ""
        completed = await self._complete(lambda tokens: self._fitted(queries_form(question, count), tokens), deadline)
        written = completed.fields.get("queries")
        queries = _distinct(question, written if isinstance(written, list) else [])[:count]
        return tuple(queries), completed.failure or ("" if queries else _UNREADABLE)

    async def _hypothetical(self, question: str, deadline: float) -> tuple[tuple[str, ...], str]:
        """A hypothetical answer, or the part that was written in time, and why it is missing or incomplete."""
        completed = await self._complete(
            lambda tokens: self._fitted(passage_form(question), tokens), deadline, open_strings=True
        )
        passage = _text(completed.fields.get("passage"), _MAX_PASSAGE_CHARS)
        if is_degenerate(passage) or len(words(passage)) < _MIN_PASSAGE_WORDS or not _is_about(passage, question):
            return (), completed.failure or _UNREADABLE
        return (passage,), completed.failure

    def _fitted(self, form: StructuredPrompt, context_tokens: int) -> tuple[StructuredPrompt, ModelInput] | None:
        prompt = fit_to_context(form, self._tokenizer, context_tokens)
        return None if prompt is None else (form, prompt)

    async def _complete(self, fit: Fit, deadline: float, *, open_strings: bool = False) -> _Completed:
        """Have the language model complete a prompt that fits into its context before the deadline.

        Args:
            open_strings: Accept a last string that was cut off.
        """
        try:
            tokens = self._context_tokens if isinstance(self._context_tokens, int) else self._context_tokens()
            async with asyncio.timeout_at(deadline):
                fitted_prompt = await asyncio.to_thread(fit, tokens)
            if fitted_prompt is None:
                return _Completed({}, _NO_ROOM)
            form, prompt = fitted_prompt
            left_s = deadline - asyncio.get_running_loop().time()
            output = await complete(self._generator, prompt, form, timeout_s=left_s)
        except (TimeoutError, DeadlineExceeded):
            return _Completed({}, _TIMEOUT)
        except Unavailable:
            return _Completed({}, _NO_ANSWER)
        except RagError as error:
            _log.warning("query planning failed: %s", error.message)
            return _Completed({}, _REFUSED)
        return _Completed(output.fields(open_strings=open_strings), "" if output.in_time else _TIMEOUT)


async def _nothing() -> tuple[tuple[str, ...], str]:
    return (), ""


def _text(written: object, max_chars: int) -> str:
    return plain(written, max_chars) if isinstance(written, str) else ""


def _is_rewriting(text: str, question: str, turns: Sequence[Message]) -> bool:
    """Whether a text uses the words of the conversation and does not repeat an earlier turn."""
    earlier = [turn.content[:_MAX_QUESTION_CHARS] for turn in turns]
    if is_degenerate(text) or any(same_words(text, turn) for turn in earlier):
        return False
    known, used = set(words(" ".join([question, *earlier]))), set(words(text))
    return len(used & known) >= _MIN_KNOWN_WORDS * len(used)


def _distinct(question: str, written: Sequence[object]) -> list[str]:
    """The queries that repeat neither the question nor each other nor an example."""
    queries: list[str] = []
    for query in (_text(each, MAX_QUERY_CHARS) for each in written):
        is_repeated = any(same_words(query, other) for other in (question, *queries))
        if not (is_repeated or is_degenerate(query) or query in EXAMPLE_QUERIES):
            queries.append(query)
    return queries


def _is_about(passage: str, question: str) -> bool:
    """Whether they share the beginning of a word. Small models apologize, or repeat the example."""
    stems = {word[:_STEM_CHARS] for word in words(question) if len(word) >= _STEM_CHARS or not word.isascii()}
    return not stems or any(word[:_STEM_CHARS] in stems for word in words(passage))
