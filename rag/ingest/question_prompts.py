"""Passages -> questions that they answer, by the language model, so that questions find them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rag.errors import DeadlineExceeded, RagError, Unavailable
from rag.llm.model_text import is_degenerate, plain, same_words, words
from rag.llm.structured import StructuredPrompt, complete, fit_to_context
from rag.ports import ChatTokenizer, Generator
from rag.types import Message, ModelInput, Pair, Passage, PassagePairs

_MAX_QUESTION_CHARS = 150
_MAX_ANSWER_CHARS = 250
_TOKENS = 128
"""Of one pair at most, in a language that takes many."""
_TOLD_SHARE = 2 / 3
_MARKS = ("?", "？", "؟", "՞", ";")
"""What questions end with: in Latin, Chinese and Japanese, Arabic, Armenian, and Greek script."""
_log = logging.getLogger("rag.ingest")

_TASK = (
    "Write {count} different questions that the passage answers, and answer each in a few words from the passage. A "
    "question must be understood without the passage: it names what it is about. Write in the passage's language. Use "
    "nothing that the passage does not say."
)
_EXAMPLES = {
    "Returns\n\nA parcel can be sent back within 30 days of its delivery. The customer pays for the return, unless the "
    "goods are broken. The money is paid back within 14 days.": (
        ("How long can a parcel be sent back?", "Within 30 days of its delivery"),
        ("Who pays for the return of a parcel?", "The customer, unless the goods are broken"),
        ("When is the money for a returned parcel paid back?", "Within 14 days"),
    ),
    "Coffee > Growing\n\nArabica coffee grows best between 1,000 and 2,000 metres above the sea, where nights are "
    "cool. Frost kills the plants. They bear their first fruit three to four years after planting.": (
        ("At what height does Arabica coffee grow best?", "Between 1,000 and 2,000 metres above the sea"),
        ("When do Arabica coffee plants bear their first fruit?", "Three to four years after planting"),
        ("What kills Arabica coffee plants?", "Frost"),
    ),
}


async def pairs(
    generator: Generator,
    tokenizer: ChatTokenizer,
    passage_text: str,
    heading: str,
    *,
    count: int,
    context_tokens: int,
    timeout_s: float | None = None,
) -> list[Pair]:
    """At most `count` questions that the passage answers; none when what the model wrote is of no use.

    Raises:
        Unavailable: the language model does not answer.
        DeadlineExceeded: it wrote nothing for `timeout_s` seconds.
    """
    if (asked := _asked(tokenizer, passage_text, heading, count, context_tokens)) is None:
        return []
    form, prompt = asked
    try:
        filled = await complete(generator, prompt, form, timeout_s=timeout_s)
    except (Unavailable, DeadlineExceeded):
        raise
    except RagError as error:
        _log.warning("no questions could be asked about a passage: %s", error.message)
        return []
    if not filled.in_time and not filled.text:
        raise DeadlineExceeded(f"the language model wrote nothing for {timeout_s:g} s")
    written = filled.fields().get("pairs")
    return list(_usable(written if isinstance(written, list) else [], passage_text, heading))[:count]


def pair_passages(passages: Sequence[Passage], found: Iterable[PassagePairs]) -> list[Passage]:
    """A passage for each pair, found by its question in place of the passage that it was made from.

    They come in the order of the passages. Pairs of places where no passage is any more are left out.
    """
    by_place = {(of.start, of.end): of.pairs for of in found}
    return [_as_passage(pair, source) for source in passages for pair in by_place.get((source.start, source.end), ())]


def _as_passage(pair: Pair, source: Passage) -> Passage:
    start, end = _place(source)
    return Passage(
        text=f"{pair.question}\n{pair.answer}",
        start=start,
        end=end,
        heading=source.heading,
        page=source.page,
        context=source.context or source.text,
    )


def _place(source: Passage) -> tuple[int, int]:
    """Where the text stands in the document that people get: the passage, or the larger one around it."""
    before = source.context.find(source.text)
    start = source.start - before
    return (source.start, source.end) if before < 0 else (start, start + len(source.context))


def _asked(
    tokenizer: ChatTokenizer, text: str, heading: str, count: int, context_tokens: int
) -> tuple[StructuredPrompt, ModelInput] | None:
    """The form and its prompt, with as much of the passage as the context holds."""
    while text:
        form = _form(text, heading, count)
        if (prompt := fit_to_context(form, tokenizer, context_tokens)) is not None:
            return form, prompt
        text = text[: len(text) // 2]
    return None


def _form(text: str, heading: str, count: int) -> StructuredPrompt:
    messages = [Message("system", _TASK.format(count=count))]
    for passage, shown in _EXAMPLES.items():
        answer = {"pairs": [{"question": asked, "answer": answered} for asked, answered in shown[:count]]}
        messages.append(Message("user", passage))
        messages.append(Message("assistant", json.dumps(answer, separators=(",", ":"))))
    messages.append(Message("user", f"{heading}\n\n{text}" if heading else text))
    return StructuredPrompt(tuple(messages), _schema(count), _TOKENS * count, {"frequency_penalty": 0.3})


def _schema(count: int) -> dict[str, Any]:
    texts = {"question": _MAX_QUESTION_CHARS, "answer": _MAX_ANSWER_CHARS}
    properties = {name: {"type": "string", "minLength": 1, "maxLength": chars} for name, chars in texts.items()}
    pair = {"type": "object", "properties": properties, "required": list(texts), "additionalProperties": False}
    several = {"type": "array", "items": pair, "minItems": 1, "maxItems": count}
    return {
        "type": "object",
        "properties": {"pairs": several},
        "required": ["pairs"],
        "additionalProperties": False,
    }


def _usable(written: Sequence[Any], text: str, heading: str) -> Iterator[Pair]:
    """Those that are questions, and whose answers are of the passage: small models invent the rest."""
    told = set(words(f"{heading} {text}"))
    asked: list[str] = []
    for each in written:
        fields = each if isinstance(each, dict) else {}
        question = _line(fields.get("question"), _MAX_QUESTION_CHARS)
        answer = _line(fields.get("answer"), _MAX_ANSWER_CHARS)
        is_new = not any(same_words(question, other) for other in asked)
        if is_new and question.endswith(_MARKS) and not is_degenerate(question) and _is_told(answer, text, told):
            asked.append(question)
            yield Pair(question, answer)


def _line(written: Any, max_chars: int) -> str:
    return plain(written, max_chars) if isinstance(written, str) else ""


def _is_told(answer: str, text: str, told: set[str]) -> bool:
    found = set(words(answer))
    return not is_degenerate(answer) and len(answer) <= len(text) and len(found & told) >= _TOLD_SHARE * len(found)
