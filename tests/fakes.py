"""In place of the heavy parts: small, honest, and asserted by their state."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import math
import operator
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.catalog.visibility import Snapshot
from rag.errors import DependencyUnavailable, EmbeddingMismatch, ModelNotFound, VectorStoreNotFound
from rag.ports import Pieces, Vectors
from rag.retrieve.filters import SPECIAL_KEYS, compile_filters
from rag.types import Attributes, Chunk, Finished, Match, Message, TextKind, TextPiece, Usage, passage_text


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


class FakeEmbedders:
    """`default`, and others by name.

    Args:
        others: Dimensions by the name of a model; names that are not in it are not found.
    """

    def __init__(self, default: FakeEmbedder | None = None, others: Mapping[str, int] | None = None) -> None:
        self.default = default or FakeEmbedder()
        self.models = {
            self.default.model_name: self.default,
            **{name: FakeEmbedder(dimensions, name) for name, dimensions in (others or {}).items()},
        }
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def named(self, model: str) -> FakeEmbedder:
        self.asked.append(model)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if model not in self.models:
            raise ModelNotFound(f"there is no model {model!r}", param="model")
        return self.models[model]


class FakeVectorStore:
    """Chunks and vectors in lists: as on a server, a chunk that is inserted twice is there twice."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[int, str]] = {}
        self.rows: dict[str, list[tuple[Chunk, Vectors]]] = {}
        self.aliases: dict[str, str] = {}
        self.insert_failure: Exception | None = None
        self.insert_failure_after = 0
        """Chunks of a failing insert that are stored all the same."""
        self.closed = False

    @property
    def supports_keyword(self) -> bool:
        return True

    def create(self, collection: str, dimensions: int, model_name: str) -> None:
        collection = self._real(collection)
        stored = self.models.setdefault(collection, (dimensions, model_name))
        self.rows.setdefault(collection, [])
        if stored != (dimensions, model_name):
            raise EmbeddingMismatch(
                f"{collection!r} was filled by {stored[1]!r} ({stored[0]} dimensions), "
                f"the embedder is {model_name!r} ({dimensions} dimensions)"
            )

    def drop(self, collection: str) -> None:
        collection = self._real(collection)
        self.rows.pop(collection, None)
        self.models.pop(collection, None)
        self.aliases = {alias: target for alias, target in self.aliases.items() if target != collection}

    def exists(self, collection: str) -> bool:
        return self._real(collection) in self.rows

    def insert(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors, *, again: bool = False) -> None:
        rows = self._rows(collection)
        if again:
            ids = {chunk.chunk_id for chunk in chunks}
            rows[:] = [row for row in rows if row[0].chunk_id not in ids]
        for index, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
            if self.insert_failure is not None and index >= self.insert_failure_after:
                raise self.insert_failure
            rows.append((chunk, vector))

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        self.delete(collection, [to_version_id])
        found = [row for row in self._rows(collection) if row[0].version_id == version_id]
        copies = [
            dataclasses.replace(
                chunk,
                chunk_id=to_version_id + chunk.chunk_id.removeprefix(version_id),
                version_id=to_version_id,
                file_id=file_id,
                attributes=attributes,
            )
            for chunk, _ in found
        ]
        self.insert(collection, copies, np.array([vector for _, vector in found], dtype=np.float32))
        return len(copies)

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        rows = self._rows(collection)
        rows[:] = [row for row in rows if row[0].version_id not in version_ids]

    def count(self, collection: str, version_id: str | None = None) -> int:
        return sum(version_id in (None, chunk.version_id) for chunk in self.chunks(collection))

    def chunk_ids(self, collection: str) -> list[str]:
        return [chunk.chunk_id for chunk in self.chunks(collection)]

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        rows = self._filtered(collection, filters, without)
        return [
            _best([Match(chunk, float(np.dot(stored, vector))) for chunk, stored in rows], limit) for vector in vectors
        ]

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: Mapping[str, Any] | None = None,
        *,
        without: Sequence[str] = (),
    ) -> list[list[Match]]:
        chunks = [chunk for chunk, _ in self._filtered(collection, filters, without)]
        return [_best([match for match in _bm25(chunks, query) if match.score > 0], limit) for query in queries]

    def point_alias(self, alias: str, collection: str) -> None:
        self._rows(collection)
        if alias not in self.rows:
            self.aliases[alias] = self._real(collection)

    def drop_alias(self, alias: str) -> None:
        self.aliases.pop(alias, None)

    def ping(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def chunks(self, collection: str) -> list[Chunk]:
        return [chunk for chunk, _ in self._rows(collection)]

    def _real(self, name: str) -> str:
        return self.aliases.get(name, name)

    def _rows(self, collection: str) -> list[tuple[Chunk, Vectors]]:
        if self._real(collection) not in self.rows:
            raise VectorStoreNotFound(f"there is no vector store {collection!r}", param="vector_store")
        return self.rows[self._real(collection)]

    def _filtered(
        self, collection: str, filters: Mapping[str, Any] | None, without: Sequence[str]
    ) -> list[tuple[Chunk, Vectors]]:
        if filters is not None:
            compile_filters(filters)  # refuses what the real store refuses
        rows = [row for row in self._rows(collection) if row[0].version_id not in without]
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


class FakeViews:
    """Every collection of a store is a vector store of that name, at revision 0; `unseen` versions are hidden."""

    def __init__(self, store: FakeVectorStore) -> None:
        self._store = store
        self.unseen: set[str] = set()

    def snapshot(self, store: str) -> Snapshot:
        if not self._store.exists(store):
            raise VectorStoreNotFound(f"there is no vector store {store!r}", param="vector_store")
        dimensions, model = self._store.models[self._store._real(store)]
        return Snapshot(store, 0, store, model, dimensions)

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        return self.unseen & set(version_ids)


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
