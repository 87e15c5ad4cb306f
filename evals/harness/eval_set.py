"""An evaluation set: documents, what is asked of them, and what is right."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rag.types import JsonObject

WHOLE: JsonObject = {"type": "recursive", "recursive": {"max_chars": 16_383, "overlap_chars": 0}}
"""A document is one passage, unless it is longer than the longest passage there can be."""


class BadInput(Exception):
    """What the user gave cannot be measured with: which file, which line, and why."""


@dataclass(frozen=True, slots=True)
class Document:
    doc_id: str
    """As relevance judgements name it."""
    filename: str
    """As the vector store names it."""
    text: str | None = None
    path: Path | None = None
    """The file that it is, where it has no `text`."""

    def content(self) -> bytes:
        if self.path is not None:
            return self.path.read_bytes()
        return (self.text or "").encode()


@dataclass(frozen=True, slots=True)
class EvalQuery:
    query_id: str
    text: str


@dataclass(frozen=True, slots=True)
class EvalQuestion:
    question_id: str
    text: str
    answers: tuple[str, ...] = ()
    """Any of these is right. None is known: the answer is not judged."""
    unanswerable: bool = False
    gold_doc: str | None = None


@dataclass(frozen=True)
class EvalSet:
    name: str
    documents: tuple[Document, ...]
    queries: tuple[EvalQuery, ...] = ()
    relevant: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Query id -> document id -> grade, 1 or more where it is relevant."""
    questions: tuple[EvalQuestion, ...] = ()
    licence: str = ""
    chunking: JsonObject | None = None
    """As `chunking_strategy` on the wire; None: as the service is set."""

    @cached_property
    def corpus_hash(self) -> str:
        """Of all documents and how they are cut: what a vector store is filled with."""
        digest = hashlib.sha256(json.dumps(self.chunking, sort_keys=True).encode())
        for document in sorted(self.documents, key=lambda document: document.filename):
            content = hashlib.sha256(document.content()).hexdigest()
            digest.update(f"\0{document.filename}\0{content}".encode())
        return digest.hexdigest()

    @cached_property
    def set_hash(self) -> str:
        """Of everything that figures depend on."""
        asked = sorted((query.query_id, query.text) for query in self.queries)
        answered = sorted((q.question_id, q.text, q.answers, q.unanswerable, q.gold_doc or "") for q in self.questions)
        told = json.dumps([self.corpus_hash, asked, self.relevant, answered], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def sample(self, count: int | None, seed: int) -> EvalSet:
        """With so many of the queries and of the questions, drawn at random; the same ones for the same seed."""
        if count is None:
            return self
        return replace(self, queries=_drawn(self.queries, count, seed), questions=_drawn(self.questions, count, seed))

    def only(self, query_ids: Collection[str]) -> EvalSet:
        """With these queries, and no questions."""
        kept = tuple(query for query in self.queries if query.query_id in query_ids)
        return replace(self, queries=kept, questions=())


EvalItems = TypeVar("EvalItems", EvalQuery, EvalQuestion)


def _drawn(asked: tuple[EvalItems, ...], count: int, seed: int) -> tuple[EvalItems, ...]:
    if len(asked) <= count:
        return asked
    chosen = set(random.Random(seed).sample(range(len(asked)), count))
    return tuple(one for position, one in enumerate(asked) if position in chosen)
