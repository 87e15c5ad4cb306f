"""The prompts for query planning.

Each has examples: without them the smallest models answer the question instead. The examples come first and never
change, so that the engine can serve them from its prefix cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rag.llm.model_text import plain
from rag.llm.structured import StructuredPrompt
from rag.types import JsonObject, Message

PROMPT_VERSION = "1"
"""Increase it with each change of this file or of `rag.retrieve.planning.planner`: it is part of cache keys."""

MAX_QUERY_CHARS = 100
_TURN_CHARS = 600
_QUERY_TOKENS = 40
_PASSAGE_TOKENS = 96
_NO_ECHO = {"frequency_penalty": 0.5}
"""Without it, small models write the same sentence again and again."""

_REWRITING_TASK = (
    "You rewrite the last question of a conversation so that it can be understood alone. Replace words like it, that, "
    "he, one by what they stand for, and add what was left out. Keep the language of the question. A question that "
    "can be understood alone stays as it is. Never answer it."
)
_REWRITING_EXAMPLES = (
    ("What does the Falcon 9 rocket cost?", "A launch costs about 67 million dollars.", "Who builds it?"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted it.", "How many people live in Peru?"),
    ("How tall is Mount Everest?", "8,849 metres.", "And K2?"),
)
_REWRITTEN_QUESTIONS = ("Who builds the Falcon 9 rocket?", "How many people live in Peru?", "How tall is K2?")

_QUERIES_TASK = (
    "You write search queries. For the question, write {count} short search queries that find documents with the "
    "answer. Each uses other words, or asks for another part. Keep the language of the question. Do not answer it."
)
_QUERIES_EXAMPLES = {
    "Why do my tomato plants have yellow leaves?": (
        "causes of yellow leaves on tomatoes",
        "tomato plant nitrogen deficiency",
        "overwatered tomato symptoms",
        "tomato leaf diseases",
        "how to treat yellowing tomatoes",
    ),
    "error: disk quota exceeded": (
        "disk quota exceeded meaning",
        "user storage limit reached",
        "raise the disk quota",
        "check disk usage of a user",
        "no space left for files",
    ),
    "Can a landlord keep the deposit?": (
        "landlord right to keep the deposit",
        "return of a rental deposit",
        "deductions from a security deposit",
        "tenant deposit dispute",
        "deposit and damage to a flat",
    ),
}
EXAMPLE_QUERIES = frozenset(query for queries in _QUERIES_EXAMPLES.values() for query in queries)
"""Small models sometimes copy these, whatever the question."""

_PASSAGE_TASK = (
    "Write a short passage that answers the question, as it might stand in a manual or an encyclopedia. Write in the "
    "language of the question. Say nothing about yourself."
)
_PASSAGE_EXAMPLES = {
    "Why do my tomato plants have yellow leaves?": "Yellow leaves on tomato plants are most often caused by a lack of "
    "nitrogen or by too much water. The oldest leaves turn yellow first. A balanced fertiliser and drier soil help "
    "within two weeks.",
    "Can a landlord keep the deposit?": "A landlord may keep a part of the deposit for unpaid rent and for damage "
    "beyond normal wear. The rest is paid back with a list of the costs within a month after the tenant moves out.",
}


def rewriting_form(question: str, turns: Sequence[Message], question_tokens: int) -> StructuredPrompt:
    """`{"question": ...}`: the question in words that are clear without the turns before it."""
    conversations = [
        _conversation([Message("user", first), Message("assistant", answer)], last)
        for first, answer, last in _REWRITING_EXAMPLES
    ]
    examples = [
        (text, {"question": rewritten}) for text, rewritten in zip(conversations, _REWRITTEN_QUESTIONS, strict=True)
    ]
    schema = _object("question", {"type": "string", "minLength": 1, "maxLength": len(question) + 200})
    return StructuredPrompt(
        _messages(_REWRITING_TASK, examples, _conversation(turns, question)), schema, question_tokens + 64
    )


def queries_form(question: str, count: int) -> StructuredPrompt:
    """`{"queries": [...]}`: `count` other queries for the question."""
    examples = [(example, {"queries": list(queries[:count])}) for example, queries in _QUERIES_EXAMPLES.items()]
    item = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS}
    schema = _object("queries", {"type": "array", "items": item, "minItems": count, "maxItems": count})
    messages = _messages(_QUERIES_TASK.format(count=count), examples, question)
    return StructuredPrompt(messages, schema, _QUERY_TOKENS * count + 16, _NO_ECHO)


def passage_form(question: str) -> StructuredPrompt:
    """`{"passage": ...}`: a hypothetical document.

    Gao et al., Precise Zero-Shot Dense Retrieval without Relevance Labels, 2022 (arXiv:2212.10496).
    """
    examples = [(example, {"passage": passage}) for example, passage in _PASSAGE_EXAMPLES.items()]
    schema = _object("passage", {"type": "string", "minLength": 1})
    return StructuredPrompt(_messages(_PASSAGE_TASK, examples, question), schema, _PASSAGE_TOKENS, _NO_ECHO)


def _messages(task: str, examples: Sequence[tuple[str, JsonObject]], text: str) -> tuple[Message, ...]:
    messages = [Message("system", task)]
    for example, answer in examples:
        messages.append(Message("user", example))
        messages.append(Message("assistant", json.dumps(answer, separators=(",", ":"), ensure_ascii=False)))
    return (*messages, Message("user", text))


def _conversation(turns: Sequence[Message], question: str) -> str:
    """The conversation as one text, because chat templates reject turns that do not alternate. Long turns are cut."""
    names = {"user": "Question", "assistant": "Answer"}
    lines = [f"{names[turn.role]}: {plain(turn.content, _TURN_CHARS)}" for turn in turns if turn.role in names]
    return "\n".join(["Conversation:", *lines, "", f"Last question: {question}"])


def _object(name: str, schema: JsonObject) -> JsonObject:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
