"""What the language model is asked about a question before it is searched for.

Each form has examples: without them the smallest models answer the question instead. The examples come first and
never change, so that the engine's prefix cache serves them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rag.llm.model_text import plain
from rag.llm.structured import StructuredPrompt
from rag.types import JsonObject, Message

PROMPT_VERSION = "1"
"""Another one for each change of this file or of `rag.retrieve.planning.planner`: plans that are kept belong to one."""

MAX_QUERY_CHARS = 100
_TURN_CHARS = 600
_QUERY_TOKENS = 40
_PASSAGE_TOKENS = 96
_NO_ECHO = {"frequency_penalty": 0.5}
"""Small models else write the same sentence again and again."""

_REWRITE = (
    "You rewrite the last question of a conversation so that it can be understood alone. Replace words like it, that, "
    "he, one by what they stand for, and add what was left out. Keep the language of the question. A question that "
    "can be understood alone stays as it is. Never answer it."
)
_REWRITTEN = (
    ("What does the Falcon 9 rocket cost?", "A launch costs about 67 million dollars.", "Who builds it?"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted it.", "How many people live in Peru?"),
    ("How tall is Mount Everest?", "8,849 metres.", "And K2?"),
)
_REWRITINGS = ("Who builds the Falcon 9 rocket?", "How many people live in Peru?", "How tall is K2?")

_SEVERAL = (
    "You write search queries. For the question, write {count} short search queries that find documents with the "
    "answer. Each uses other words, or asks for another part. Keep the language of the question. Do not answer it."
)
_SEARCHED = {
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
EXAMPLE_QUERIES = frozenset(query for queries in _SEARCHED.values() for query in queries)
"""What a model that copies them would write, whatever the question."""

_ANSWER = (
    "Write a short passage that answers the question, as it might stand in a manual or an encyclopedia. Write in the "
    "language of the question. Say nothing about yourself."
)
_PASSAGES = {
    "Why do my tomato plants have yellow leaves?": "Yellow leaves on tomato plants are most often caused by a lack of "
    "nitrogen or by too much water. The oldest leaves turn yellow first. A balanced fertiliser and drier soil help "
    "within two weeks.",
    "Can a landlord keep the deposit?": "A landlord may keep a part of the deposit for unpaid rent and for damage "
    "beyond normal wear. The rest is paid back with a list of the costs within a month after the tenant moves out.",
}


def rewriting_form(question: str, turns: Sequence[Message], question_tokens: int) -> StructuredPrompt:
    """For a question that follows on `turns`: `{"question": ...}`, the same question for who has not heard them."""
    examples = [
        _conversation([Message("user", asked), Message("assistant", answered)], last)
        for asked, answered, last in _REWRITTEN
    ]
    shown = [(text, {"question": written}) for text, written in zip(examples, _REWRITINGS, strict=True)]
    schema = _object("question", {"type": "string", "minLength": 1, "maxLength": len(question) + 200})
    return StructuredPrompt(_messages(_REWRITE, shown, _conversation(turns, question)), schema, question_tokens + 64)


def queries_form(question: str, count: int) -> StructuredPrompt:
    """`{"queries": [...]}`: so many other ways to search for it."""
    shown = [(asked, {"queries": list(queries[:count])}) for asked, queries in _SEARCHED.items()]
    item = {"type": "string", "minLength": 1, "maxLength": MAX_QUERY_CHARS}
    schema = _object("queries", {"type": "array", "items": item, "minItems": count, "maxItems": count})
    messages = _messages(_SEVERAL.format(count=count), shown, question)
    return StructuredPrompt(messages, schema, _QUERY_TOKENS * count + 16, _NO_ECHO)


def passage_form(question: str) -> StructuredPrompt:
    """`{"passage": ...}`: a hypothetical document.

    Gao et al., Precise Zero-Shot Dense Retrieval without Relevance Labels, 2022 (arXiv:2212.10496).
    """
    shown = [(asked, {"passage": passage}) for asked, passage in _PASSAGES.items()]
    schema = _object("passage", {"type": "string", "minLength": 1})
    return StructuredPrompt(_messages(_ANSWER, shown, question), schema, _PASSAGE_TOKENS, _NO_ECHO)


def _messages(task: str, shown: Sequence[tuple[str, JsonObject]], asked: str) -> tuple[Message, ...]:
    messages = [Message("system", task)]
    for text, answer in shown:
        messages.append(Message("user", text))
        messages.append(Message("assistant", json.dumps(answer, separators=(",", ":"), ensure_ascii=False)))
    return (*messages, Message("user", asked))


def _conversation(turns: Sequence[Message], question: str) -> str:
    """One text, for chat templates refuse turns that do not alternate. Of long answers the beginning."""
    names = {"user": "Question", "assistant": "Answer"}
    lines = [f"{names[turn.role]}: {plain(turn.content, _TURN_CHARS)}" for turn in turns if turn.role in names]
    return "\n".join(["Conversation:", *lines, "", f"Last question: {question}"])


def _object(name: str, schema: dict[str, Any]) -> JsonObject:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
