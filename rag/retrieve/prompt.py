"""hits + question -> a prompt that fits, counted with the engine's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from rag.errors import ContextLengthExceeded
from rag.ports import ChatTokenizer
from rag.types import Hit, Message, Prompt

SYSTEM = (
    "You are a helpful assistant. Answer in one or two sentences from the passages, and cite them like [1]. "
    "If the passages do not hold the answer, say that you do not know."
)
REMINDER = "Answer briefly, from the passages."
"""Small models have forgotten the system's words by the end of the passages."""
PROMPT_VERSION = 1
"""Of the wording above and of how passages stand in it: counted up with each change, since answers are kept by it."""
NOT_FOUND = "I found nothing about this in the documents."


def assemble(
    question: str,
    hits: Sequence[Hit],
    history: Sequence[Message],
    tokenizer: ChatTokenizer,
    *,
    context_tokens: int,
    max_tokens: int,
) -> Prompt:
    """The longest prompt that leaves `max_tokens` of the context free.

    What does not fit is left out in this order: the weakest hits, then the oldest turns of the
    conversation, then the strongest hit. `Prompt.sources` are the hits that stayed, best first.

    Raises:
        ContextLengthExceeded: not even the question alone fits.
    """
    hits = _with_distinct_texts(hits)
    room = context_tokens - max_tokens
    turns = list(history)
    while turns and _most_hits(question, hits[:1], turns, tokenizer, room) is None:
        turns = turns[1:]
    kept = _most_hits(question, hits, turns, tokenizer, room)
    token_ids, count = kept or (tokenizer.render(_messages(question, [], [])), 0)
    if len(token_ids) > room:
        raise ContextLengthExceeded(
            f"question: with it the prompt has at least {len(token_ids)} tokens and {max_tokens} are kept for the "
            f"answer, but the model's context holds {context_tokens}; shorten the question or lower max_tokens",
            param="question",
        )
    return Prompt(tuple(token_ids), tuple(hits[:count]))


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


def _most_hits(
    question: str, hits: Sequence[Hit], turns: Sequence[Message], tokenizer: ChatTokenizer, room: int
) -> tuple[list[int], int] | None:
    """Tokens with as many of the best hits as fit, and how many; None when not one of them does."""
    low = 1 if hits else 0
    for count in range(len(hits), low - 1, -1):
        token_ids = tokenizer.render(_messages(question, hits[:count], turns))
        if len(token_ids) <= room:
            return token_ids, count
    return None


def _messages(question: str, hits: Sequence[Hit], turns: Sequence[Message]) -> list[Message]:
    """The part that never changes comes first, so that the engine's prefix cache serves it."""
    passages = [_passage(number, hit) for number, hit in enumerate(hits, start=1)]
    context = "\n\n".join(reversed(passages))  # the best passage stands nearest the question
    user = f"Passages:\n\n{context}\n\nQuestion: {question}\n{REMINDER}" if passages else f"Question: {question}"
    return [Message("system", SYSTEM), *turns, Message("user", user)]


def _passage(number: int, hit: Hit) -> str:
    source = " > ".join(part for part in (hit.chunk.filename, hit.chunk.heading) if part)
    return f"[{number}] {hit.chunk.context or hit.chunk.text}\n(from {source})"
