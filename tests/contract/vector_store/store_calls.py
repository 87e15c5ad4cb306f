"""Short ways to ask a VectorStore things, for its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.ports import VectorStore
from rag.types import Chunk, Match, SparseVector
from tests.fakes import FakeEmbedder

EMBEDDER = FakeEmbedder()
STORE = "my-store_1"

_Filters = Mapping[str, Any] | None


def put(store: VectorStore, *chunks: Chunk, again: bool = False) -> None:
    store.insert(STORE, chunks, EMBEDDER.vectors([chunk.text for chunk in chunks]), again=again)


def texts(matches: Sequence[Match]) -> list[str]:
    return [match.chunk.text for match in matches]


def dense(
    store: VectorStore,
    text: str,
    limit: int = 10,
    filters: _Filters = None,
    *,
    without: Sequence[str] = (),
    groups: Sequence[str] | None = None,
) -> list[Match]:
    (matches,) = store.dense(STORE, EMBEDDER.vectors([text]), limit, filters, without=without, groups=groups)
    return matches


def keyword(
    store: VectorStore,
    text: str,
    limit: int = 10,
    filters: _Filters = None,
    *,
    without: Sequence[str] = (),
    groups: Sequence[str] | None = None,
) -> list[Match]:
    (matches,) = store.keyword(STORE, [text], limit, filters, without=without, groups=groups)
    return matches


def sparse(
    store: VectorStore,
    vector: SparseVector,
    limit: int = 10,
    filters: _Filters = None,
    *,
    without: Sequence[str] = (),
    groups: Sequence[str] | None = None,
) -> list[Match]:
    (matches,) = store.sparse(STORE, [vector], limit, filters, without=without, groups=groups)
    return matches
