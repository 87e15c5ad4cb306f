"""Builds prompts that fit into the context of the language model, counted with its own tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.errors import ContextLengthExceeded
from rag.llm.special_tokens import SpecialTokenEscaper
from rag.llm.template_values import NO_THINKING
from rag.ports import ChatTokenizer
from rag.retrieve.prompting.history import fitting_exchanges, may_fit
from rag.retrieve.prompting.joining import join_hits
from rag.retrieve.prompting.templates import PassageText, Templates
from rag.types import Chunk, Hit, JsonMapping, Message, Prompt, Quote, readable_text


@dataclass(frozen=True, slots=True)
class PromptInput:
    """The parts of a prompt."""

    question: str
    hits: Sequence[Hit]
    """Best first."""
    history: Sequence[Message] = ()
    system: str = ""
    """The client's instructions; they follow those of the template."""
    neighbours: Mapping[str, Chunk] = field(default_factory=dict)
    """Chunks around the hits, by id, with which tables, lists and records can be completed."""
    template_values: JsonMapping = field(default_factory=dict)
    """Additional variables of the chat template."""


@dataclass(frozen=True, slots=True)
class SearchText:
    text: str
    """Empty if not even a text without passages fits."""
    tokens: int
    passages: int
    """How many passages it has."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """The parts with special tokens and fences escaped."""

    question: str
    passages: Sequence[PassageText]
    history: Sequence[Message]
    system: str
    template_values: JsonMapping


@dataclass(frozen=True, slots=True)
class _Draft:
    passages: int
    """How many passages it has."""
    turns: Sequence[Message]
    """The turns of the conversation that it has."""
    messages: tuple[Message, ...]
    token_ids: tuple[int, ...]
    tokens: int


class PromptBuilder:
    """Builds prompts from the templates. Safe for several threads.

    Args:
        table_tokens: Tokens by which a prompt may grow to complete tables, lists and records; 0: not at all.
    """

    def __init__(self, templates: Templates, tokenizer: ChatTokenizer, *, table_tokens: int = 0) -> None:
        self._templates = templates
        self._tokenizer = tokenizer
        self.table_tokens = table_tokens
        self._special_tokens = SpecialTokenEscaper(tokenizer.control_texts)

    @property
    def version(self) -> str:
        """Version of the templates, for cache keys."""
        return self._templates.version

    def make(self, parts: PromptInput, *, context_tokens: int, max_tokens: int) -> Prompt:
        """The longest prompt that leaves `max_tokens` of the context free.

        Parts that do not fit are left out in this order: the weakest hits, the middle of very long turns, the oldest
        exchanges of the conversation, the best hit. `Prompt.sources` are the remaining hits, best first.

        If no hit is left out, those that are a part of a table, list or record are joined with their neighbours; see
        `rag.retrieve.prompting.joining`. `Prompt.sources` are then the joined passages.

        Raises:
            ContextLengthExceeded: the system prompt and the question alone do not fit.
        """
        budget = context_tokens - max_tokens
        hits = with_distinct_texts(parts.hits)
        texts = self._escaped(parts, hits)
        draft = self._fitting(texts, budget)
        _check_length(draft, context_tokens, max_tokens)
        if draft.passages == len(hits):
            hits, draft = self._completed(replace(parts, hits=hits), draft, budget)
        return Prompt(draft.token_ids, tuple(hits[: draft.passages]), draft.messages)

    def make_quoting(
        self, question: str, quotes: Sequence[Quote], hits: Sequence[Hit], *, context_tokens: int, max_tokens: int
    ) -> Prompt:
        """The prompt of a quoted answer: the quotes and the question, without the passages around them.

        Args:
            hits: The sources that the quotes come from.

        Raises:
            ContextLengthExceeded: the prompt does not leave `max_tokens` of the context free.
        """
        escape = self._special_tokens.escape
        text = self._templates.quote(escape(question), [escape(quote.marked) for quote in quotes])
        draft = self._measured(len(hits), (), (Message("user", text),), NO_THINKING)
        _check_length(draft, context_tokens, max_tokens)
        return Prompt(draft.token_ids, tuple(hits), draft.messages)

    def make_search_output(
        self, hits: Sequence[Hit], numbers: Sequence[int], known: Sequence[int], max_tokens: int
    ) -> SearchText:
        """The text of a search of the language model. If it is too long, the weakest hits are left out.

        Args:
            hits: Those that no earlier search returned, best first.
            numbers: Of the hits, in their order.
            known: Numbers of the others.
        """
        passages = [self._passage(number, hit) for number, hit in zip(numbers, hits, strict=True)]
        for count in range(len(passages), -1, -1):
            text = self._templates.search(passages[:count], known)
            if (tokens := self._tokenizer.count(text)) <= max_tokens:
                return SearchText(text, tokens, count)
        return SearchText("", 0, 0)

    def cut(self, text: str, max_tokens: int) -> tuple[str, int]:
        """The beginning of an untrusted text that has at most so many tokens, with special tokens escaped, and its
        length in tokens.
        """
        escaped = self._special_tokens.escape(text)
        while (tokens := self._tokenizer.count(escaped)) > max_tokens and escaped:
            escaped = escaped[: min(len(escaped) - 1, len(escaped) * max_tokens // tokens)]
        return escaped, tokens

    def count(self, text: str) -> int:
        """The length of a text in tokens."""
        return self._tokenizer.count(text)

    def _completed(self, parts: PromptInput, draft: _Draft, budget: int) -> tuple[list[Hit], _Draft]:
        """The hits with as much of their tables, lists and records as fits, and the draft with them."""
        room = min(self.table_tokens, budget - draft.tokens)
        while room > 0 and parts.neighbours:
            joined = join_hits(parts.hits, parts.neighbours, room, self._tokenizer.count)
            if joined.hits == list(parts.hits):
                break
            larger = self._draft(self._escaped(parts, joined.hits), len(joined.hits), draft.turns)
            if larger.tokens <= budget:
                return joined.hits, larger
            room = joined.tokens - (larger.tokens - budget)  # separators and escapes were not counted
        return list(parts.hits), draft

    def _fitting(self, texts: _Texts, budget: int) -> _Draft:
        """The longest draft that fits; the shortest one if none does."""
        count, turns = len(texts.passages), texts.history
        if may_fit(turns, budget) and (whole := self._draft(texts, count, turns)).tokens <= budget:
            return whole
        turns = self._fitting_turns(texts, budget)
        drafts = (self._draft(texts, n, turns) for n in range(count, -1, -1))
        for draft in drafts:
            if draft.tokens <= budget:
                return draft
        return draft

    def _fitting_turns(self, texts: _Texts, budget: int) -> Sequence[Message]:
        """As many of the newest turns as fit together with the best passage."""
        best = min(1, len(texts.passages))
        if may_fit(texts.history, budget) and self._draft(texts, best, texts.history).tokens <= budget:
            return texts.history
        exchanges = fitting_exchanges(texts.history, budget, self._tokenizer.count)
        while exchanges and self._draft(texts, best, _turns_of(exchanges)).tokens > budget:
            exchanges = exchanges[1:]
        return _turns_of(exchanges)

    def _draft(self, texts: _Texts, count: int, turns: Sequence[Message]) -> _Draft:
        """The constant part comes first, so that the engine can serve it from its prefix cache."""
        system = "\n\n".join(filter(None, (self._templates.system(), texts.system)))
        user = self._templates.user(texts.question, texts.passages[:count])
        messages = (Message("system", system), *turns, Message("user", user))
        return self._measured(count, turns, messages, texts.template_values)

    def _measured(
        self, passages: int, turns: Sequence[Message], messages: tuple[Message, ...], values: JsonMapping
    ) -> _Draft:
        token_ids = tuple(self._tokenizer.render(messages, values))
        return _Draft(passages, turns, messages, token_ids, len(token_ids) or self._tokenizer.measure(messages, values))

    def _escaped(self, parts: PromptInput, hits: Sequence[Hit]) -> _Texts:
        escape = self._special_tokens.escape
        passages = [self._passage(number, hit) for number, hit in enumerate(hits, start=1)]
        history = [replace(turn, content=escape(turn.content)) for turn in parts.history]
        return _Texts(escape(parts.question), passages, history, escape(parts.system), parts.template_values)

    def _passage(self, number: int, hit: Hit) -> PassageText:
        chunk, escape = hit.chunk, self._special_tokens.escape
        filename, heading = (" ".join(escape(name).split()) for name in (chunk.filename, chunk.heading))
        source = " > ".join(filter(None, (filename, heading)))
        return PassageText(number, escape(readable_text(chunk)), source, filename, heading, chunk.page)


def _check_length(draft: _Draft, context_tokens: int, max_tokens: int) -> None:
    if draft.tokens > context_tokens - max_tokens:
        raise ContextLengthExceeded(
            f"question: the prompt has at least {draft.tokens} tokens and {max_tokens} are reserved for the "
            f"answer, but the model's context holds {context_tokens}; shorten the question or lower max_tokens",
            param="question",
        )


def _turns_of(exchanges: Sequence[Sequence[Message]]) -> list[Message]:
    return [turn for exchange in exchanges for turn in exchange]


def with_distinct_texts(hits: Sequence[Hit]) -> list[Hit]:
    """Without passages whose larger text a better hit already has."""
    larger_texts: set[tuple[str, str]] = set()
    distinct: list[Hit] = []
    for hit in hits:
        larger_text = (hit.chunk.version_id, hit.chunk.context)
        if hit.chunk.context and larger_text in larger_texts:
            continue
        larger_texts.add(larger_text)
        distinct.append(hit)
    return distinct
