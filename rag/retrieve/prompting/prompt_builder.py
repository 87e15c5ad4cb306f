"""hits + question -> a prompt that fits, counted with the engine's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.errors import ContextLengthExceeded
from rag.llm.special_tokens import SpecialTokenEscaper
from rag.ports import ChatTokenizer
from rag.retrieve.prompting.history import fitting_exchanges, may_fit
from rag.retrieve.prompting.templates import PassageText, Templates
from rag.types import Hit, Message, Prompt


@dataclass(frozen=True, slots=True)
class PromptInput:
    """What a prompt is made of."""

    question: str
    hits: Sequence[Hit]
    """Best first."""
    history: Sequence[Message] = ()
    system: str = ""
    """Instructions of the client; they follow the template's."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """The parts with nothing in them that a language model would take for more than text."""

    question: str
    passages: Sequence[PassageText]
    history: Sequence[Message]
    system: str


@dataclass(frozen=True, slots=True)
class _Draft:
    passages: int
    """How many of them are in it."""
    messages: tuple[Message, ...]
    token_ids: tuple[int, ...]
    tokens: int


class PromptBuilder:
    """Safe for use in several threads."""

    def __init__(self, templates: Templates, tokenizer: ChatTokenizer) -> None:
        self._templates = templates
        self._tokenizer = tokenizer
        self._marks = SpecialTokenEscaper(tokenizer.control_texts)

    @property
    def version(self) -> str:
        """Of the wording, and of how passages stand in it."""
        return self._templates.version

    def make(self, parts: PromptInput, *, context_tokens: int, max_tokens: int) -> Prompt:
        """The longest prompt that leaves `max_tokens` of the context free.

        What does not fit is left out in this order: the weakest hits, the middle of turns that are very long, the
        oldest exchanges of the conversation, the strongest hit. `Prompt.sources` are the hits that stayed, best first.

        Raises:
            ContextLengthExceeded: not even the question alone fits, with the system's words.
        """
        room = context_tokens - max_tokens
        hits = _with_distinct_texts(parts.hits)
        texts = self._harmless(parts, hits)
        draft = self._fitting(texts, room)
        if draft.tokens > room:
            raise ContextLengthExceeded(
                f"question: with it the prompt has at least {draft.tokens} tokens and {max_tokens} are kept for the "
                f"answer, but the model's context holds {context_tokens}; shorten the question or lower max_tokens",
                param="question",
            )
        return Prompt(draft.token_ids, tuple(hits[: draft.passages]), draft.messages)

    def _fitting(self, texts: _Texts, room: int) -> _Draft:
        """The first that fits; the shortest where none does."""
        count, turns = len(texts.passages), texts.history
        if may_fit(turns, room) and (whole := self._draft(texts, count, turns)).tokens <= room:
            return whole
        turns = self._fitting_turns(texts, room)
        drafts = (self._draft(texts, n, turns) for n in range(count, -1, -1))
        for draft in drafts:
            if draft.tokens <= room:
                return draft
        return draft

    def _fitting_turns(self, texts: _Texts, room: int) -> Sequence[Message]:
        """As many of the newest as leave room for the best passage."""
        best = min(1, len(texts.passages))
        if may_fit(texts.history, room) and self._draft(texts, best, texts.history).tokens <= room:
            return texts.history
        exchanges = fitting_exchanges(texts.history, room, self._tokenizer.count)
        while exchanges and self._draft(texts, best, _turns_of(exchanges)).tokens > room:
            exchanges = exchanges[1:]
        return _turns_of(exchanges)

    def _draft(self, texts: _Texts, count: int, turns: Sequence[Message]) -> _Draft:
        """The part that never changes comes first, so that the engine's prefix cache serves it."""
        system = "\n\n".join(filter(None, (self._templates.system(), texts.system)))
        user = self._templates.user(texts.question, texts.passages[:count])
        messages = (Message("system", system), *turns, Message("user", user))
        token_ids = tuple(self._tokenizer.render(messages))
        return _Draft(count, messages, token_ids, len(token_ids) or self._tokenizer.measure(messages))

    def _harmless(self, parts: PromptInput, hits: Sequence[Hit]) -> _Texts:
        escape = self._marks.escape
        passages = [self._passage(number, hit) for number, hit in enumerate(hits, start=1)]
        history = [replace(turn, content=escape(turn.content)) for turn in parts.history]
        return _Texts(escape(parts.question), passages, history, escape(parts.system))

    def _passage(self, number: int, hit: Hit) -> PassageText:
        chunk, escape = hit.chunk, self._marks.escape
        filename, heading = (" ".join(escape(name).split()) for name in (chunk.filename, chunk.heading))
        source = " > ".join(filter(None, (filename, heading)))
        return PassageText(number, escape(chunk.context or chunk.text), source, filename, heading, chunk.page)


def _turns_of(exchanges: Sequence[Sequence[Message]]) -> list[Message]:
    return [turn for exchange in exchanges for turn in exchange]


def _with_distinct_texts(hits: Sequence[Hit]) -> list[Hit]:
    """Of passages that stand for the same larger text, the best alone."""
    seen: set[tuple[str, str]] = set()
    kept: list[Hit] = []
    for hit in hits:
        key = (hit.chunk.version_id, hit.chunk.context)
        if hit.chunk.context and key in seen:
            continue
        seen.add(key)
        kept.append(hit)
    return kept
