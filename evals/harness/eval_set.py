"""An evaluation set: documents, queries with relevance judgements, and questions with answers."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rag.types import JsonObject, Message

WHOLE_DOCUMENT: JsonObject = {"type": "recursive", "recursive": {"max_chars": 16_383, "overlap_chars": 0}}
"""One passage per document, up to the longest passage that is possible."""


class InputError(Exception):
    """Invalid input of the user. The message names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Document:
    doc_id: str
    """Its id in the relevance judgements."""
    filename: str
    """Its name in the vector store."""
    text: str | None = None
    path: Path | None = None
    """The file with its content, if there is no `text`."""

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
    """Each is correct. If empty, the answer is not judged."""
    unanswerable: bool = False
    gold_doc: str | None = None
    history: tuple[Message, ...] = ()
    """The conversation before the question, oldest turn first."""


@dataclass(frozen=True)
class EvalSet:
    name: str
    documents: tuple[Document, ...]
    queries: tuple[EvalQuery, ...] = ()
    relevant: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Query id -> document id -> grade; 1 or more is relevant."""
    questions: tuple[EvalQuestion, ...] = ()
    licence: str = ""
    chunking: JsonObject | None = None
    """The `chunking_strategy` of the vector store. None: the service's default."""

    @cached_property
    def corpus_hash(self) -> str:
        """Hash of all documents and their chunking: the content of the vector store."""
        digest = hashlib.sha256(json.dumps(self.chunking, sort_keys=True).encode())
        for document in sorted(self.documents, key=lambda document: document.filename):
            content = hashlib.sha256(document.content()).hexdigest()
            digest.update(f"\0{document.filename}\0{content}".encode())
        return digest.hexdigest()

    @cached_property
    def set_hash(self) -> str:
        """Hash of everything that the metrics depend on."""
        asked = sorted((query.query_id, query.text) for query in self.queries)
        answered = sorted((q.question_id, q.text, q.answers, q.unanswerable, q.gold_doc or "") for q in self.questions)
        turns = sorted((q.question_id, *map(astuple, q.history)) for q in self.questions if q.history)
        parts = [self.corpus_hash, asked, self.relevant, answered, *([turns] if turns else [])]
        identity = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()

    def sample(self, count: int | None, seed: int) -> EvalSet:
        """A random sample of at most `count` queries and `count` questions; deterministic for a seed."""
        if count is None:
            return self
        return replace(
            self, queries=_sampled(self.queries, count, seed), questions=_sampled(self.questions, count, seed)
        )

    def only(self, query_ids: Collection[str]) -> EvalSet:
        """A copy with these queries only, and without questions."""
        kept = tuple(query for query in self.queries if query.query_id in query_ids)
        return replace(self, queries=kept, questions=())


EvalItems = TypeVar("EvalItems", EvalQuery, EvalQuestion)


def _sampled(items: tuple[EvalItems, ...], count: int, seed: int) -> tuple[EvalItems, ...]:
    if len(items) <= count:
        return items
    chosen = set(random.Random(seed).sample(range(len(items)), count))
    return tuple(one for position, one in enumerate(items) if position in chosen)
