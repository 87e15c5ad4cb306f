"""Generates questions that a passage answers, so that queries in other words find it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence

from rag.errors import DeadlineExceeded, Overloaded, RagError, Unavailable
from rag.llm.model_text import is_degenerate, plain, same_words, words
from rag.llm.structured import StructuredPrompt, complete, fit_to_context
from rag.ports import ChatTokenizer, Generator
from rag.types import JsonObject, Message, ModelInput, Pair, Passage, PassagePairs
from rag.types.places import packed, unpacked

_MAX_QUESTION_CHARS = 150
_MAX_ANSWER_CHARS = 250
_TOKENS_PER_PAIR = 128
"""Enough for languages that take many tokens."""
_MIN_SHARED_WORDS = 2 / 3
"""The share of an answer's words that must be in the passage."""
_QUESTION_MARKS = ("?", "？", "؟", "՞", ";")
"""The marks of the Latin, Chinese and Japanese, Arabic, Armenian, and Greek scripts."""
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
    """At most `count` questions that the passage answers. Empty if the model's output is unusable.

    Raises:
        Unavailable, Overloaded: the language model does not answer, or takes no more requests.
        DeadlineExceeded: it generated nothing for `timeout_s` seconds.
    """
    if (fitting := _fitting_prompt(tokenizer, passage_text, heading, count, context_tokens)) is None:
        return []
    form, prompt = fitting
    try:
        filled = await complete(generator, prompt, form, timeout_s=timeout_s)
    except (Unavailable, DeadlineExceeded, Overloaded):
        raise
    except RagError as error:
        _log.warning("no questions could be generated for a passage: %s", error.message)
        return []
    if not filled.in_time and not filled.text:
        raise DeadlineExceeded(f"the language model generated nothing for {timeout_s:g} s")
    written = filled.fields().get("pairs")
    return list(_usable(written if isinstance(written, list) else [], passage_text, heading))[:count]


def pair_passages(passages: Sequence[Passage], all_pairs: Iterable[PassagePairs]) -> list[Passage]:
    """A passage for each pair. If it is found, the language model gets the source passage as its context.

    They are in the order of the source passages. Pairs without a source passage are ignored.
    """
    by_offsets = {(entry.start, entry.end): entry.pairs for entry in all_pairs}
    return [_as_passage(pair, source) for source in passages for pair in by_offsets.get((source.start, source.end), ())]


def _as_passage(pair: Pair, source: Passage) -> Passage:
    start, end = _context_offsets(source)
    return Passage(
        text=f"{pair.question}\n{pair.answer}",
        start=start,
        end=end,
        heading=source.heading,
        page=source.page,
        pages=source.pages,
        places=packed(unpacked(source.places, source.start), start),
        header=source.header,
        context=source.context or source.text,
    )


def _context_offsets(source: Passage) -> tuple[int, int]:
    """Character offsets of the source's context in the document, or of the source itself if it has none."""
    before = source.context.find(source.text)
    start = source.start - before
    return (source.start, source.end) if before < 0 else (start, start + len(source.context))


def _fitting_prompt(
    tokenizer: ChatTokenizer, text: str, heading: str, count: int, context_tokens: int
) -> tuple[StructuredPrompt, ModelInput] | None:
    """The form and its prompt, with as much of the passage as fits in the context. None if none of it does."""
    while text:
        form = _form(text, heading, count)
        if (prompt := fit_to_context(form, tokenizer, context_tokens)) is not None:
            return form, prompt
        text = text[: len(text) // 2]
    return None


def _form(text: str, heading: str, count: int) -> StructuredPrompt:
    messages = [Message("system", _TASK.format(count=count))]
    for passage, examples in _EXAMPLES.items():
        answer = {"pairs": [{"question": asked, "answer": answered} for asked, answered in examples[:count]]}
        messages.append(Message("user", passage))
        messages.append(Message("assistant", json.dumps(answer, separators=(",", ":"))))
    messages.append(Message("user", f"{heading}\n\n{text}" if heading else text))
    return StructuredPrompt(tuple(messages), _schema(count), _TOKENS_PER_PAIR * count, {"frequency_penalty": 0.3})


def _schema(count: int) -> JsonObject:
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


def _usable(written: Sequence[object], text: str, heading: str) -> Iterator[Pair]:
    """The pairs that hold a new question and an answer from the passage. Small models invent others."""
    passage_words = set(words(f"{heading} {text}"))
    questions: list[str] = []
    for each in written:
        fields = each if isinstance(each, dict) else {}
        question = _line(fields.get("question"), _MAX_QUESTION_CHARS)
        answer = _line(fields.get("answer"), _MAX_ANSWER_CHARS)
        is_new = not any(same_words(question, other) for other in questions)
        if (
            is_new
            and question.endswith(_QUESTION_MARKS)
            and not is_degenerate(question)
            and _is_from_passage(answer, text, passage_words)
        ):
            questions.append(question)
            yield Pair(question, answer)


def _line(written: object, max_chars: int) -> str:
    return plain(written, max_chars) if isinstance(written, str) else ""


def _is_from_passage(answer: str, text: str, passage_words: set[str]) -> bool:
    answer_words = set(words(answer))
    shared = len(answer_words & passage_words)
    return not is_degenerate(answer) and len(answer) <= len(text) and shared >= _MIN_SHARED_WORDS * len(answer_words)
