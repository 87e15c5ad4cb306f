"""In place of the heavy parts: small, honest, and asserted by their state."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import operator
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import DependencyUnavailable, EmbeddingMismatch, VectorStoreNotFound
from rag.ingest.chunking import passage_text
from rag.ports import Pieces, Vectors
from rag.retrieve.filters import SPECIAL_KEYS, compile_filters
from rag.types import Chunk, Finished, Match, Message, StoredFile, TextKind, TextPiece, Usage


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class FakeEmbedder:
    """Hashed bags of words: texts that share words are near, the same text is always the same vector."""

    def __init__(self, dimensions: int = 64, model_name: str = "fake-embedder") -> None:
        self.model_name = model_name
        self.dimensions = dimensions
        self.calls: list[tuple[tuple[str, ...], TextKind]] = []
        self.failure: Exception | None = None

    async def encode(self, texts: Sequence[str], kind: TextKind) -> Vectors:
        self.calls.append((tuple(texts), kind))
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return self.vectors(texts)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in words(text) or ["blank"]:
                row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % self.dimensions] += 1
        unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


class FakeVectorStore:
    """Chunks and vectors in dictionaries."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[int, str]] = {}
        self.rows: dict[str, dict[str, tuple[Chunk, Vectors]]] = {}
        self.insert_failure: Exception | None = None
        self.insert_failure_after = 0
        """Chunks of a failing insert that are stored all the same."""
        self.closed = False

    @property
    def supports_keyword(self) -> bool:
        return True

    def ensure(self, vector_store: str, dimensions: int, model_name: str) -> None:
        stored = self.models.setdefault(vector_store, (dimensions, model_name))
        self.rows.setdefault(vector_store, {})
        if stored != (dimensions, model_name):
            raise EmbeddingMismatch(f"{vector_store!r} was filled by {stored[1]!r}, the embedder is {model_name!r}")

    def exists(self, vector_store: str) -> bool:
        return vector_store in self.rows

    def insert(self, vector_store: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        rows = self._rows(vector_store)
        for index, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
            if self.insert_failure is not None and index >= self.insert_failure_after:
                raise self.insert_failure
            rows[chunk.chunk_id] = (chunk, vector)

    def versions(self, vector_store: str, file_ids: Sequence[str]) -> dict[str, list[StoredFile]]:
        found: dict[str, list[StoredFile]] = {}
        chunks = self.chunks(vector_store)
        counts = Counter((chunk.file_id, chunk.content_hash) for chunk in chunks if chunk.file_id in file_ids)
        attributes = {(chunk.file_id, chunk.content_hash): chunk.attributes for chunk in chunks}
        for (file_id, content_hash), count in counts.items():
            stored = StoredFile(content_hash, count, attributes[file_id, content_hash])
            found.setdefault(file_id, []).append(stored)
        return found

    def delete(
        self, vector_store: str, file_id: str, *, content_hash: str | None = None, keep: str | None = None
    ) -> None:
        rows = self._rows(vector_store)
        for chunk in self.chunks(vector_store):
            if chunk.file_id == file_id and chunk.content_hash != keep and content_hash in (None, chunk.content_hash):
                del rows[chunk.chunk_id]

    def count(self, vector_store: str) -> int:
        return len(self._rows(vector_store))

    def dense(
        self, vector_store: str, vectors: Vectors, limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        rows = self._filtered(vector_store, filters)
        return [
            _best([Match(chunk, float(np.dot(stored, vector))) for chunk, stored in rows], limit) for vector in vectors
        ]

    def keyword(
        self, vector_store: str, queries: Sequence[str], limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[list[Match]]:
        chunks = [chunk for chunk, _ in self._filtered(vector_store, filters)]
        return [_best([match for match in _bm25(chunks, query) if match.score > 0], limit) for query in queries]

    def ping(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def chunks(self, vector_store: str) -> list[Chunk]:
        return [chunk for chunk, _ in self._rows(vector_store).values()]

    def _rows(self, vector_store: str) -> dict[str, tuple[Chunk, Vectors]]:
        if vector_store not in self.rows:
            raise VectorStoreNotFound(f"there is no vector store {vector_store!r}", param="vector_store")
        return self.rows[vector_store]

    def _filtered(self, vector_store: str, filters: Mapping[str, Any] | None) -> list[tuple[Chunk, Vectors]]:
        if filters is not None:
            compile_filters(filters)  # refuses what the real store refuses
        rows = list(self._rows(vector_store).values())
        return [row for row in rows if filters is None or _holds(filters, row[0])]


def _best(matches: list[Match], limit: int) -> list[Match]:
    return sorted(matches, key=lambda match: -match.score)[:limit]


def _bm25(chunks: Sequence[Chunk], query: str, k1: float = 1.2, b: float = 0.75) -> list[Match]:
    bags = [Counter(words(f"{chunk.filename} {passage_text(chunk)}")) for chunk in chunks]
    mean_length = sum(bag.total() for bag in bags) / max(len(bags), 1)
    scores = [0.0] * len(chunks)
    for word in set(words(query)):
        containing = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(bags) - containing + 0.5) / (containing + 0.5))
        for index, bag in enumerate(bags):
            weight = k1 * (1 - b + b * bag.total() / mean_length)
            scores[index] += idf * bag[word] * (k1 + 1) / (bag[word] + weight)
    return [Match(chunk, score) for chunk, score in zip(chunks, scores, strict=True)]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda stored, values: stored in values,
    "nin": lambda stored, values: stored not in values,
}


def _holds(node: Mapping[str, Any], chunk: Chunk) -> bool:
    kind = node["type"]
    if kind in ("and", "or"):
        results = [_holds(part, chunk) for part in node["filters"]]
        return all(results) if kind == "and" else any(results)
    key, value = node["key"], node["value"]
    stored = getattr(chunk, key) if key in SPECIAL_KEYS else chunk.attributes.get(key)
    if stored is None:
        return False
    try:
        return _COMPARE[kind](stored, value)
    except TypeError:
        return False


class FakeGenerator:
    """Streams the words of `text`.

    Args:
        dies_after: pieces after which it fails as a dead engine does.
        start: waited for before the first piece.
    """

    def __init__(
        self, text: str = "the answer", *, dies_after: int | None = None, start: asyncio.Event | None = None
    ) -> None:
        self.text = text
        self.dies_after = dies_after
        self.start = start
        self.running = 0
        self.cancelled = 0
        self.requests: list[tuple[str | Sequence[int], Mapping[str, Any], str]] = []

    async def generate(self, prompt: str | Sequence[int], sampling: Mapping[str, Any], request_id: str) -> Pieces:
        self.requests.append((prompt, sampling, request_id))
        pieces = self._watched(prompt, sampling)
        await anext(pieces)
        return pieces

    async def _watched(self, prompt: str | Sequence[int], sampling: Mapping[str, Any]) -> Pieces:
        """Counts what runs. Its first item only says that the request was accepted, so that closing it is noticed."""
        self.running += 1
        try:
            yield TextPiece("")
            if self.start is not None:
                await self.start.wait()
            async for piece in self._pieces(prompt, sampling):
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _pieces(
        self, prompt: str | Sequence[int], sampling: Mapping[str, Any]
    ) -> AsyncGenerator[TextPiece | Finished, None]:
        scripted = re.findall(r"\S+\s*", self.text)
        pieces = scripted[: sampling.get("max_tokens") or len(scripted)]
        for index, text in enumerate(pieces):
            if index == self.dies_after:
                raise DependencyUnavailable("the engine died")
            await asyncio.sleep(0)
            yield TextPiece(text)
        if self.dies_after is not None:
            raise DependencyUnavailable("the engine died")
        prompt_tokens = len(words(prompt)) if isinstance(prompt, str) else len(prompt)
        yield Finished("stop" if len(pieces) == len(scripted) else "length", Usage(prompt_tokens, len(pieces)))


class FakeTokenizer:
    """One token a word; a conversation is rendered as `<role> content` and ends with `<assistant>`."""

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}

    def render(self, messages: Sequence[Message]) -> list[int]:
        text = " ".join([*(f"<{message.role}> {message.content}" for message in messages), "<assistant>"])
        return [self.vocabulary.setdefault(word, len(self.vocabulary)) for word in text.split()]

    def count(self, text: str) -> int:
        return len(text.split())

    def decode(self, token_ids: Sequence[int]) -> str:
        known = {number: word for word, number in self.vocabulary.items()}
        return " ".join(known[number] for number in token_ids)


class InstantEngine:
    """Stands where `VllmEngine` stands and answers at once, for the benchmark of our own work.

    Args:
        record: File that each prompt's token ids are added to, one JSON array a line.
    """

    TOKENS = 64

    def __init__(self, record: Path | None = None) -> None:
        self._record = record

    async def start(self) -> None:
        """It is always there."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def facts(self) -> Mapping[str, Any]:
        return {"model": "instant", "context_tokens": 8192, "running": 0}

    async def generate(self, prompt: str | Sequence[int], sampling: Mapping[str, Any], request_id: str) -> Pieces:
        if self._record is not None and not isinstance(prompt, str):
            with self._record.open("a") as file:
                file.write(json.dumps(list(prompt)) + "\n")
        return self._words(len(prompt))

    async def _words(self, prompt_tokens: int) -> Pieces:
        for number in range(self.TOKENS):
            yield TextPiece(f"w{number} ")
        yield Finished("length", Usage(prompt_tokens, self.TOKENS, 0))
