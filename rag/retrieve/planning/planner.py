"""question -> what is searched for: rewritten, in several ways, with an invented answer. By the language model.

Nothing here may keep a question from being searched for: whatever fails is left out, and the plan says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

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
"""A longer one says enough by itself."""
_MAX_TURNS = 8
_MAX_PASSAGE_CHARS = 1_000
_LEAST_WORDS = 5
"""Of an answer that was cut: less is not near anything."""
_KNOWN_WORDS = 1 / 3
_STEM_CHARS = 4
_TIMEOUT = "timeout"
_SILENT = "the language model does not answer"
_REFUSED = "the language model refuses it"
_UNREADABLE = "could not be read"
_NO_ROOM = "no room in the language model's context"
_log = logging.getLogger("rag.planning")

Fit: TypeAlias = Callable[[int], "tuple[StructuredPrompt, ModelInput] | None"]
"""A form and its prompt for a context of so many tokens; None when it does not fit."""


class LanguageModelPlanner:
    """See `rag.retrieve.planning.plan.Plans`. Safe for many questions at once.

    Args:
        context_tokens: The engine's context length, or who knows it; that may raise RagError.
        timeout_s: Seconds for all parts of a plan together.
        model: Of the generator, where it is known: another model's plans are others.
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
        """What to search for. Takes no longer than `timeout_s`: what is not ready then is left out.

        Args:
            history: Earlier turns, oldest first. Without any there is nothing to rewrite.
            queries: How many more are wanted.
        """
        turns = [turn for turn in history if turn.role != "system" and turn.content.strip()][-_MAX_TURNS:]
        rewrite = rewrite and bool(turns)
        if not (rewrite or queries or hypothetical):
            return Plan((question,))
        if len(question) > _MAX_QUESTION_CHARS:
            return Plan((question,), note="the question is too long to be planned")
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        rewritten, why_asked = await self._rewritten(question, turns, deadline) if rewrite else (None, "")
        asked = rewritten or question
        async with asyncio.TaskGroup() as parts:
            more = parts.create_task(self._more_queries(asked, queries, deadline))
            invented = parts.create_task(self._invented(asked, deadline) if hypothetical else _nothing())
        reasons = {"rewriting": why_asked, "several queries": more.result()[1], "invented answer": invented.result()[1]}
        note = "; ".join(f"{part}: {reason}" for part, reason in reasons.items() if reason)
        return Plan((asked, *more.result()[0]), invented.result()[0], rewritten, note=note)

    async def _rewritten(self, question: str, turns: Sequence[Message], deadline: float) -> tuple[str | None, str]:
        """None for a question that stays as it is; and why it could not be rewritten."""

        def fit(context_tokens: int) -> tuple[StructuredPrompt, ModelInput] | None:
            question_tokens = self._tokenizer.count(question)
            for first in range(len(turns)):  # the newest turns say what a question refers to
                form = rewriting_form(question, turns[first:], question_tokens)
                if asked := self._fitted(form, context_tokens):
                    return asked
            return None

        fields, why = await self._fields(fit, deadline)
        text = _text(fields.get("question"), len(question) + 200)
        if same_words(text, question):
            return None, ""
        if _can_stand_for(text, question, turns):
            return text, ""
        return None, why or _UNREADABLE

    async def _more_queries(self, question: str, count: int, deadline: float) -> tuple[tuple[str, ...], str]:
        """Those that were written in time, and why there are none, or not all."""
        if not count:
            return (), ""
        fields, why = await self._fields(lambda tokens: self._fitted(queries_form(question, count), tokens), deadline)
        written = fields.get("queries")
        queries = _distinct(question, written if isinstance(written, list) else [])[:count]
        return tuple(queries), why or ("" if queries else _UNREADABLE)

    async def _invented(self, question: str, deadline: float) -> tuple[tuple[str, ...], str]:
        """One answer, or the part of it that was written in time."""
        fields, why = await self._fields(
            lambda tokens: self._fitted(passage_form(question), tokens), deadline, open_strings=True
        )
        passage = _text(fields.get("passage"), _MAX_PASSAGE_CHARS)
        if is_degenerate(passage) or len(words(passage)) < _LEAST_WORDS or not _is_about(passage, question):
            return (), why or _UNREADABLE
        return (passage,), why

    def _fitted(self, form: StructuredPrompt, context_tokens: int) -> tuple[StructuredPrompt, ModelInput] | None:
        prompt = fit_to_context(form, self._tokenizer, context_tokens)
        return None if prompt is None else (form, prompt)

    async def _fields(self, fit: Fit, deadline: float, *, open_strings: bool = False) -> tuple[JsonObject, str]:
        """What the model filled in, and what kept it from filling in all."""
        try:
            tokens = self._context_tokens if isinstance(self._context_tokens, int) else self._context_tokens()
            async with asyncio.timeout_at(deadline):
                asked = await asyncio.to_thread(fit, tokens)
            if asked is None:
                return {}, _NO_ROOM
            form, prompt = asked
            left_s = deadline - asyncio.get_running_loop().time()
            filled = await complete(self._generator, prompt, form, timeout_s=left_s)
        except (TimeoutError, DeadlineExceeded):
            return {}, _TIMEOUT
        except Unavailable:
            return {}, _SILENT
        except RagError as error:
            _log.warning("a question could not be planned: %s", error.message)
            return {}, _REFUSED
        return filled.fields(open_strings=open_strings), "" if filled.in_time else _TIMEOUT


async def _nothing() -> tuple[tuple[str, ...], str]:
    return (), ""


def _text(written: Any, max_chars: int) -> str:
    return plain(written, max_chars) if isinstance(written, str) else ""


def _can_stand_for(text: str, question: str, turns: Sequence[Message]) -> bool:
    """Whether a rewriting is made of what was said, and is not an earlier question once more."""
    earlier = [turn.content[:_MAX_QUESTION_CHARS] for turn in turns]
    if is_degenerate(text) or any(same_words(text, turn) for turn in earlier):
        return False
    said, found = set(words(" ".join([question, *earlier]))), set(words(text))
    return len(found & said) >= _KNOWN_WORDS * len(found)


def _distinct(question: str, written: Sequence[Any]) -> list[str]:
    """Queries that say something else than the question, and than each other."""
    kept: list[str] = []
    for query in (_text(each, MAX_QUERY_CHARS) for each in written):
        known = any(same_words(query, other) for other in (question, *kept))
        if not (known or is_degenerate(query) or query in EXAMPLE_QUERIES):
            kept.append(query)
    return kept


def _is_about(passage: str, question: str) -> bool:
    """Whether they have a word in common, by its beginning. Small models excuse themselves, or repeat the example."""
    asked = {word[:_STEM_CHARS] for word in words(question) if len(word) >= _STEM_CHARS or not word.isascii()}
    return not asked or any(word[:_STEM_CHARS] in asked for word in words(passage))
