"""Shortens long conversations: the newest turns stay, and the language model summarizes the others.

Compaction never makes a request fail: if there is no summary, the newest turns alone are kept, and the note says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from rag.errors import DeadlineExceeded, RagError, Unavailable
from rag.llm.model_text import is_degenerate, plain, words
from rag.llm.structured import StructuredPrompt, complete, fit_to_context
from rag.ports import ChatTokenizer, Generator
from rag.retrieve.compaction.turns import (
    Exchange,
    as_message,
    message_item,
    split_conversation,
    summary_items,
    text_of,
    without_orphans,
)
from rag.retrieve.prompting.history import fitting_exchanges
from rag.retrieve.prompting.templates import Templates
from rag.types import JsonMapping, Message, ModelInput, Usage

_KEPT_SHARE, _FALLBACK_SHARE, _SUMMARY_SHARE = 1 / 4, 1 / 2, 1 / 8
"""Of the length that a compacted conversation is to have: the turns that stay, with a summary and without one, and the
summary."""
_MIN_SUMMARY_TOKENS, _MAX_SUMMARY_TOKENS = 64, 1024
_PROMPT_SHARES = (1.0, 0.7, 0.4, 0.1)
"""Shares of the context. Turns of these lengths are tried one after the other, because the template adds to them."""
_CHARS_PER_TOKEN = 16
_CHECKED_WORDS = 80
"""Longer texts repeat many words anyway."""
_SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string", "minLength": 1}},
    "required": ["summary"],
    "additionalProperties": False,
}
_SAMPLING = {"frequency_penalty": 0.2}
"""Without it, small models write the same sentence again and again."""
_log = logging.getLogger("rag.compaction")


@dataclass(frozen=True, slots=True)
class CompactionRequest:
    items: Sequence[JsonMapping]
    """The turns, oldest first, as OpenAI's items."""
    context_tokens: int
    """The language model's context length."""
    max_tokens: int | None = None
    """The length that the conversation must not exceed; None: the context length."""
    instructions: str = ""
    """The assistant's instructions. They are not part of the result."""


@dataclass(frozen=True, slots=True)
class Compaction:
    items: Sequence[JsonMapping]
    """The items that replace the conversation."""
    tokens: int
    """The length of the conversation that was compacted."""
    is_shorter: bool
    """Whether anything was left out."""
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    """What the summary cost."""
    note: str = ""
    """What could not be done, and why."""


@dataclass(frozen=True, slots=True)
class _Summary:
    text: str
    usage: Usage
    failure: str = ""
    """Why there is none, or what it does not cover."""


class Compactor:
    """Summarizes the older turns of conversations with the language model. Safe for concurrent use.

    Args:
        timeout_s: Time limit of a summary in seconds.
    """

    def __init__(
        self, generator: Generator, tokenizer: ChatTokenizer, templates: Templates, *, timeout_s: float
    ) -> None:
        self._generator = generator
        self._tokenizer = tokenizer
        self._templates = templates
        self._timeout_s = timeout_s

    async def compact(self, request: CompactionRequest) -> Compaction:
        turns = split_conversation(request.items)
        limit = min(request.max_tokens or request.context_tokens, request.context_tokens)
        tokens = await asyncio.to_thread(self._count, request.items)
        kept = await asyncio.to_thread(self._newest, turns.exchanges, int(limit * _KEPT_SHARE))
        left_out = list(chain(*turns.exchanges[: len(turns.exchanges) - len(kept)]))
        if not left_out:
            return Compaction(request.items, tokens, is_shorter=False)
        max_tokens = min(max(int(limit * _SUMMARY_SHARE), _MIN_SUMMARY_TOKENS), _MAX_SUMMARY_TOKENS)
        summary = await self._summarize(left_out, turns.summary, request, max_tokens)
        if summary.text:
            items = [*turns.instructions, *summary_items(summary.text), *without_orphans(list(chain(*kept)))]
            note = f"compaction: {summary.failure}" if summary.failure else ""
            return Compaction(items, tokens, is_shorter=True, usage=summary.usage, note=note)
        messages = [as_message(turn) for turn in chain(*turns.exchanges)]
        newest = await asyncio.to_thread(
            fitting_exchanges, messages, int(limit * _FALLBACK_SHARE), self._tokenizer.count
        )
        items = [*turns.instructions, *(summary_items(turns.summary) if turns.summary else [])]
        items += [message_item(turn.role, turn.content) for turn in chain(*newest)]
        note = f"compaction: only the newest turns are kept, without a summary of the others ({summary.failure})"
        _log.warning("%s", note)
        return Compaction(items, tokens, is_shorter=True, usage=summary.usage, note=note)

    def _count(self, items: Iterable[JsonMapping]) -> int:
        return sum(self._tokenizer.count(text_of(item)) for item in items)

    def _newest(self, exchanges: Sequence[Exchange], budget: int) -> list[Exchange]:
        """The newest exchanges that fit, oldest first. They stay as they are."""
        kept: list[Exchange] = []
        for exchange in reversed(exchanges):
            budget -= self._count(exchange)
            if budget < 0:
                break
            kept.append(exchange)
        return kept[::-1]

    async def _summarize(
        self, turns: Sequence[JsonMapping], earlier: str, request: CompactionRequest, max_tokens: int
    ) -> _Summary:
        """The summary, or what was written of it in time; an empty text if there is none."""
        nothing = Usage(0, 0)
        messages = [as_message(turn) for turn in turns]
        prompts = self._prompts(messages, earlier, request, max_tokens)
        try:
            fitted = await asyncio.to_thread(next, prompts, None)
            if fitted is None:
                return _Summary("", nothing, "no room in the language model's context")
            form, prompt, skipped = fitted
            output = await complete(self._generator, prompt, form, timeout_s=self._timeout_s)
        except DeadlineExceeded:
            return _Summary("", nothing, "timeout")
        except Unavailable:
            return _Summary("", nothing, "the language model does not answer")
        except RagError as error:
            _log.warning("the conversation could not be summarized: %s", error.message)
            return _Summary("", nothing, "the language model refuses it")
        written = output.fields(open_strings=True).get("summary")
        text = plain(written, max_tokens * _CHARS_PER_TOKEN) if isinstance(written, str) else ""
        usage = output.usage or nothing
        if is_degenerate(" ".join(words(text)[:_CHECKED_WORDS])):
            return _Summary("", usage, "could not be read" if output.in_time else "timeout")
        return _Summary(text, usage, f"the oldest {skipped} turns are not in the summary" if skipped else "")

    def _prompts(
        self, turns: Sequence[Message], earlier: str, request: CompactionRequest, max_tokens: int
    ) -> Iterator[tuple[StructuredPrompt, ModelInput, int]]:
        """The prompts that fit into the context, each with the number of the oldest turns that it leaves out."""
        for share in _PROMPT_SHARES:
            budget = int((request.context_tokens - max_tokens) * share)
            shown = list(chain(*fitting_exchanges(turns, budget, self._tokenizer.count)))
            if not shown:
                continue
            text = self._templates.summary(shown, earlier, request.instructions)
            form = StructuredPrompt((Message("user", text),), _SCHEMA, max_tokens, _SAMPLING)
            if (prompt := fit_to_context(form, self._tokenizer, request.context_tokens)) is not None:
                yield form, prompt, len(turns) - len(shown)
